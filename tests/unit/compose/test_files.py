"""compose.yaml and the Dockerfile, without a Docker engine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose, PyOptions, parse_duration

from catalog_service.settings import CatalogSettings
from customer_service.settings import CustomerSettings
from local_shop.container_secrets import ROLES, make_secrets
from order_service.settings import OrderSettings

ROOT = Path(__file__).parents[3]
INCLUDES = "include:\n  - compose/compose.yaml\n  - compose/observability.yaml\n"
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
ONE_SHOTS = ("secrets", "roles", "migrate", "seed")
SERVICES = {"catalog": 50051, "customer": 50052, "order": 50053}
STANDING = ("postgres", *SERVICES)
SECRET_FOLDERS = ("roles", "owners", "postgres", "monitor", *SERVICES)
SETTINGS = {"catalog": CatalogSettings, "customer": CustomerSettings, "order": OrderSettings}

Service = dict[str, Any]


def read(values: Mapping[str, str]) -> PyCompose:
    """Read the first file that compose.yaml includes, as compose does: the variables, then anchors and merges."""
    assert (ROOT / "compose.yaml").read_text(encoding="utf-8") == INCLUDES
    text = (ROOT / "compose" / "compose.yaml").read_text(encoding="utf-8")
    filled = VARIABLE.sub(lambda found: values.get(found[1]) or found[2], text)
    assert "$" not in filled.replace("$$", ""), "every variable has a default"
    return PyOptions(apply_merge=True).from_yaml(filled)


def services(**values: str) -> dict[str, Service]:
    return read(values).to_dict()["services"]  # type: ignore[no-any-return]


def made_secrets(folder: Path) -> Path:
    """Make the secrets as the container does, in folders that stand for its volumes."""
    for name in SECRET_FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    make_secrets(folder)
    return folder


@pytest.fixture(params=[*ONE_SHOTS, *STANDING])
def service(request: pytest.FixtureRequest) -> Service:
    """Each service of the file in turn."""
    return services()[request.param]


@pytest.fixture(params=STANDING)
def standing(request: pytest.FixtureRequest) -> Service:
    """Each service that stays up in turn."""
    return services()[request.param]


def test_the_files_are_valid_and_all_that_they_refer_to_is_there() -> None:
    read({}).validate()
    assert set(services()) == {*ONE_SHOTS, *STANDING}
    for source, *_ in (volume.split(":") for found in services().values() for volume in found.get("volumes", [])):
        assert source in read({}).to_dict()["volumes"] or (ROOT / "compose" / source).exists()


def test_every_container_is_confined(service: Service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()


def test_nobody_is_root(service: Service) -> None:
    # The services' own image ends as another user; see below.
    assert service.get("user") == ("postgres" if service["image"] == "postgres:18" else None)


def test_every_image_has_a_tag(service: Service) -> None:
    assert service["image"] in ("postgres:18", "record-shop:local")


@pytest.mark.parametrize("name", SERVICES)
def test_metrics_are_answered_inside_the_networks_and_not_published(name: str) -> None:
    environment = services()[name]["environment"]
    port = environment["METRICS_PORT"]
    # Prometheus is another container.
    assert environment["METRICS_ADDRESS"] == environment["BIND_ADDRESS"]
    assert not any(str(port) in published for published in services()[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_alone_and_can_be_chosen(name: str) -> None:
    port = SERVICES[name]
    assert services()[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert services(**{f"{name.upper()}_PORT": "21000"})[name]["ports"] == [f"127.0.0.1:21000:{port}"]


def test_nothing_else_is_published() -> None:
    assert {name for name, found in services().items() if "ports" in found} == set(SERVICES)
    assert read({}).to_dict()["networks"]["database"] == {"internal": True}
    assert {name for name, found in services().items() if found["networks"] != ["database"]} == set(SERVICES)


def test_what_stays_up_has_a_healthcheck_and_is_started_again(standing: Service) -> None:
    assert standing["restart"] == "unless-stopped"
    assert parse_duration(standing["healthcheck"]["interval"]) <= 5
    assert standing["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_asked_for_its_health_on_its_own_port(name: str) -> None:
    probe = ["CMD", "python", "-m", "service_runtime.healthcheck", str(SERVICES[name])]
    assert services()[name]["healthcheck"]["test"] == probe


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_given_settings_that_it_takes_and_time_to_drain(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = services()[name]
    secrets = made_secrets(tmp_path)
    for variable, value in found["environment"].items():
        assert variable.lower() in SETTINGS[name].model_fields
        monkeypatch.setenv(variable, value.replace("/secrets", str(secrets / name)))
    settings = SETTINGS[name]()
    assert settings.postgres_user == found["command"][-1] == f"{name}_service"
    # Its calls, then what they left under way.
    assert parse_duration(found["stop_grace_period"]) > 2 * settings.drain_timeout_s


def test_no_environment_holds_a_password(service: Service) -> None:
    told = {name: value for name, value in service.get("environment", {}).items() if "PASS" in name or "KEY" in name}
    assert all(name.endswith(("_FILE", "_DIR")) and value.startswith("/secrets") for name, value in told.items())


def test_each_secret_is_seen_by_those_alone_who_need_it() -> None:
    seen: dict[str, set[str]] = {}
    for name, found in services().items():
        for volume in found.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.endswith("-secrets"):
                assert mode == [] if name == "secrets" else (target, mode) == ("/secrets", ["ro"])
                seen.setdefault(source.removesuffix("-secrets"), set()).add(name)
    assert {source: names - {"secrets"} for source, names in seen.items()} == {
        "role": {"roles"},
        "owner": {"migrate", "seed"},
        "monitor": set(),
        **{name: {name} for name in STANDING},
    }
    image = (ROOT / "compose" / "Dockerfile").read_text(encoding="utf-8")
    targets = [volume.split(":")[1] for volume in services()["secrets"]["volumes"]]
    assert sorted(targets) == sorted(f"/secrets/{name}" for name in SECRET_FOLDERS)
    assert all(target in image for target in targets)


def test_secrets_are_made_once_and_agree_with_each_other(tmp_path: Path) -> None:
    folder = made_secrets(tmp_path)
    before = {path: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
    assert {path.name for path in (folder / "roles").iterdir()} == set(ROLES)
    assert len({(folder / "roles" / role).read_text() for role in ROLES}) == len(ROLES)
    for copy, role in (("catalog/password", "catalog_service"), ("postgres/postgres", "postgres")):
        assert (folder / copy).read_text() == (folder / "roles" / role).read_text()
    made_secrets(tmp_path)
    assert {path: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()} == before


def test_each_step_waits_for_the_one_before() -> None:
    conditions = {
        name: {other: how["condition"] for other, how in found.get("depends_on", {}).items()}
        for name, found in services().items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"
    opened = {"postgres": healthy, "seed": done}
    assert conditions == {
        "secrets": {},
        "postgres": {"secrets": done},
        "roles": {"postgres": healthy},
        "migrate": {"roles": done},
        "seed": {"migrate": done},
        "catalog": opened,
        "customer": opened,
        "order": opened | {"catalog": healthy, "customer": healthy},
    }


def test_one_service_builds_the_image_that_all_share() -> None:
    assert {name for name, found in services().items() if "build" in found} == {"secrets"}
    assert {services(SHOP_IMAGE="shop:7")[name]["image"] for name in ("secrets", "migrate", *SERVICES)} == {"shop:7"}


def test_the_server_has_room_for_all_connections_of_all_roles() -> None:
    assert services()["postgres"]["command"][-1] == "max_connections=200"
    assert "The limits add up to 195" in (ROOT / "db" / "roles.sql").read_text(encoding="utf-8")


def test_the_image_ends_as_a_user_who_is_not_root() -> None:
    steps = (ROOT / "compose" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last_stage = steps[max(number for number, step in enumerate(steps) if step.startswith("FROM ")) :]
    assert [step for step in last_stage if step.startswith("USER ")] == ["USER 10001:10001"]


def test_the_image_is_built_from_one_tag_and_holds_nothing_that_was_not_copied_into_it() -> None:
    dockerfile = (ROOT / "compose" / "Dockerfile").read_text(encoding="utf-8")
    assert "ARG PYTHON_IMAGE=python:3.13-slim\n" in dockerfile
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${PYTHON_IMAGE}", "scratch"]


def test_the_image_is_built_from_the_project_alone() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in ignored
    assert all(list(ROOT.glob(name.removeprefix("!"))) for name in ignored if name.startswith("!"))
