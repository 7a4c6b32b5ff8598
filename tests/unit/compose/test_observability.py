"""The observability profile's files, without its images: confined, consistent with each other, and with the services."""

import re
from typing import Any

import pytest
import yaml
from compose_spec import PyOptions

from docs.generate.markdown import anchor
from tests.support.observability import (
    COMPOSE,
    DASHBOARDS,
    GRAFANA,
    PROMETHEUS,
    ROOT,
    PanelQuery,
    alert_rules,
    panel_queries,
    panels_of,
    read_dashboard,
    read_yaml,
)
from tests.support.promql import metrics_of

OPERATIONS = ROOT / "docs" / "operations.md"
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
PUBLISHED = {"prometheus": 9090, "grafana": 3000, "jaeger": 16686}
UNPUBLISHED = ("monitor-role", "postgres-exporter")
NAMES = (*PUBLISHED, *UNPUBLISHED)
SHOP_SERVICES = ("catalog", "customer", "order")
PANEL_TYPES = {"stat", "timeseries"}
RUNBOOK = re.compile(r"docs/operations\.md#([\w-]+)")
COLUMNS = 24


def read(name: str) -> dict[str, Any]:
    """Read a compose file with its variables' defaults and its anchors filled in."""
    text = (COMPOSE / name).read_text(encoding="utf-8")
    filled = VARIABLE.sub(lambda found: found[2], text)
    found: dict[str, Any] = yaml.safe_load(filled)
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read("observability.yaml")["services"]
    return found


@pytest.fixture(params=NAMES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each service of the profile in turn."""
    return services()[request.param]


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each dashboard in turn."""
    return read_dashboard(request.param)


def test_both_files_together_are_valid_and_share_no_name() -> None:
    shop, watching = read("compose.yaml"), read("observability.yaml")
    both: dict[str, Any] = {}
    for part in ("services", "networks", "volumes"):
        assert not shop[part].keys() & watching.get(part, {}).keys()
        both[part] = {**shop[part], **watching.get(part, {})}
    PyOptions().from_yaml(yaml.safe_dump(both)).validate()
    assert tuple(watching["services"]) == ("prometheus", "grafana", "jaeger", *UNPUBLISHED)


def test_without_the_profile_the_shop_is_alone() -> None:
    assert [found["profiles"] for found in services().values()] == [["observability"]] * len(NAMES)
    assert not any("profiles" in found for found in read("compose.yaml")["services"].values())
    needed = {other for found in read("compose.yaml")["services"].values() for other in found.get("depends_on", {})}
    assert not needed & set(NAMES)


def test_every_container_is_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service["user"] not in ("", "root", "0")
    assert service["logging"]["options"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()


def test_only_pages_are_published_and_only_on_loopback() -> None:
    published = {name: found["ports"] for name, found in services().items() if "ports" in found}
    assert published == {name: [f"127.0.0.1:{port}:{port}"] for name, port in PUBLISHED.items()}


def test_only_the_exporter_and_its_role_reach_postgresql() -> None:
    assert {name for name, found in services().items() if "database" in found["networks"]} == set(UNPUBLISHED)


def test_all_that_is_mounted_is_there_and_cannot_be_written(service: dict[str, Any]) -> None:
    for volume in service.get("volumes", []):
        source, _, *mode = volume.split(":")
        if source in read("observability.yaml")["volumes"]:
            continue
        assert mode == ["ro"]
        if source in read("compose.yaml")["volumes"]:
            assert source in ("role-secrets", "monitor-secrets")
            continue
        # Compose takes a path from its own file's folder.
        assert (COMPOSE / source).exists()


def test_grafana_lets_everybody_look_and_nobody_in() -> None:
    environment = services()["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_prometheus_scrapes_every_service_where_it_tells_its_metrics() -> None:
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in read_yaml(PROMETHEUS)["scrape_configs"]}
    shop = read("compose.yaml")["services"]
    assert jobs == {
        **{name: [f"{name}:{shop[name]['environment']['METRICS_PORT']}"] for name in SHOP_SERVICES},
        "postgres": ["postgres-exporter:9187"],
    }


def test_the_services_traces_can_be_sent_where_jaeger_takes_them() -> None:
    config = read_yaml(COMPOSE / "jaeger" / "config.yaml")
    assert config["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://jaeger:4317 docker compose" in OPERATIONS.read_text(encoding="utf-8")
    networks = {name: read("compose.yaml")["services"][name]["networks"] for name in SHOP_SERVICES}
    assert all("default" in found for found in networks.values())
    assert services()["jaeger"]["networks"] == ["default"]


def test_jaegers_pipeline_names_what_its_file_configures() -> None:
    config = read_yaml(COMPOSE / "jaeger" / "config.yaml")
    [pipeline] = config["service"]["pipelines"].values()
    for part, names in [*pipeline.items(), ("extensions", config["service"]["extensions"])]:
        assert set(names) == config[part].keys()
    storages = config["extensions"]["jaeger_storage"]["backends"].keys()
    assert {config["exporters"]["jaeger_storage_exporter"]["trace_storage"]} == storages
    assert {config["extensions"]["jaeger_query"]["storage"]["traces"]} == storages
    assert config["extensions"]["jaeger_query"]["http"]["endpoint"].endswith(f":{PUBLISHED['jaeger']}")


def test_grafana_finds_its_data_sources_and_dashboards() -> None:
    sources = read_yaml(GRAFANA / "datasources" / "datasources.yaml")["datasources"]
    assert {source["uid"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090",
        "jaeger": "http://jaeger:16686",
    }
    [provider] = read_yaml(GRAFANA / "dashboards" / "dashboards.yaml")["providers"]
    mounts = dict(volume.split(":")[:2] for volume in services()["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/shop.json"
    assert [path.name for path in DASHBOARDS] == ["hot-path.json", "shop.json"]
    interval = {source.get("jsonData", {}).get("timeInterval") for source in sources if source["uid"] == "prometheus"}
    assert interval == {read_yaml(PROMETHEUS)["global"]["scrape_interval"]}


def test_a_dashboard_is_what_grafana_reads(dashboard: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z-]{1,40}", dashboard["uid"])
    assert dashboard["title"]
    assert dashboard["description"]
    assert dashboard["schemaVersion"] >= 39
    assert dashboard["editable"] is False
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= COLUMNS
        assert not places & cells, f"{panel['title']} covers another panel"
        places |= cells


def test_every_panel_says_what_it_shows_and_in_which_unit(dashboard: dict[str, Any]) -> None:
    for panel in panels_of(dashboard):
        assert panel["type"] in PANEL_TYPES
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert "\n" not in panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"prometheus"}
    assert len({panel["title"] for panel in panels_of(dashboard)}) == len(panels_of(dashboard))


@pytest.mark.parametrize("query", panel_queries(), ids=str)
def test_a_rate_fits_the_zoom(query: PanelQuery) -> None:
    assert set(re.findall(r"\[[^\]]*\]", query.expression)) <= {"[$__rate_interval]"}


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_every_alert_leads_to_a_chapter_that_says_what_to_do(rule: dict[str, Any]) -> None:
    found = RUNBOOK.fullmatch(rule["annotations"].get("runbook", ""))
    assert found, "a runbook is a heading of docs/operations.md"
    chapters = dict(re.findall(r"^### (.*)\n+((?:(?!#).*\n)*)", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE))
    by_anchor = {anchor(heading): (heading, text) for heading, text in chapters.items()}
    heading, text = by_anchor[found[1]]
    assert heading == rule["alert"]
    for word in ("**Means**", "**Look**", "**Change**"):
        assert word in text
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in ("page", "warn")


def test_every_chapter_of_an_alert_has_its_alert() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    chapter = text.partition("\n## What to do about each alert\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.*)$", chapter, re.MULTILINE) == [rule["alert"] for rule in alert_rules()]


def test_every_cause_that_wakes_an_operator_has_an_alert() -> None:
    assert {name for rule in alert_rules() for name in metrics_of(rule["expr"])} == {
        "up",
        "recordshop_serving",
        "recordshop_oldest_open_order_age_seconds",
        "recordshop_queued_orders",
        "recordshop_database_pool_waiting",
        "recordshop_refusals_total",
        "recordshop_audit_disagreeing_discs",
        "pg_stat_replication_pg_wal_lsn_diff",
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("up", {"up"}),
        ('sum by (job, le) (rate(a_bucket{x="b c", y=~"d|e"}[$__rate_interval])) / 1e3', {"a_bucket"}),
        ("a - on (job) group_left (v) (b:c > 0.50) or vector(0)", {"a", "b:c"}),
        ('histogram_quantile(0.99, sum(x)) and ignoring(z) count_over_time(y{s="}"}[5m])', {"x", "y"}),
    ],
)
def test_a_querys_metrics_are_told_from_its_functions_and_labels(query: str, names: set[str]) -> None:
    assert metrics_of(query) == names
