"""A Prometheus of a test's own, set up as the observability profile's is but for its targets, its haste and its folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from local_shop.ports import HOST, free_port
from tests.support.debian_server import debian_program, read_url, running
from tests.support.observability import ALERTS, PROMETHEUS, read_yaml

SCRAPE_INTERVAL = "500ms"
# What Grafana puts in for its variable: at least four scrapes.
RATE_INTERVAL = "5s"


@dataclass(frozen=True)
class Prometheus:
    """A running server's HTTP API."""

    url: str

    def query(self, expression: str) -> list[float]:
        """Evaluate a panel's expression now; return the finite values."""
        found = self._get("query", query=expression.replace("$__rate_interval", RATE_INTERVAL))["result"]
        return [value for sample in found if isfinite(value := float(sample["value"][1]))]

    def rules(self) -> list[dict[str, Any]]:
        """Return the alert rules with their states."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def alerts(self) -> dict[str, str]:
        """Return the states of the alerts that fire or are about to."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self._get("alerts")["alerts"]}

    def _get(self, path: str, **parameters: str) -> Any:
        return json.loads(read_url(f"{self.url}/api/v1/{path}?{urlencode(parameters)}"))["data"]


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run a server that scrapes `targets`, host:port by the names of the profile's jobs, with the profile's alerts."""
    program = debian_program("prometheus", package="prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_config(targets)), encoding="utf-8")
    address = f"{HOST}:{free_port()}"
    command = [
        *(program, "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"),
        *("--web.listen-address", address, "--log.level", "warn"),
    ]
    with running(command, folder=folder, url=f"http://{address}/-/ready"):
        yield Prometheus(f"http://{address}")


def _config(targets: Mapping[str, str]) -> dict[str, Any]:
    config: dict[str, Any] = read_yaml(PROMETHEUS)
    config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), SCRAPE_INTERVAL)
    config["rule_files"] = [str(ALERTS)]
    config["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": [targets[job["job_name"]]]}]}
        for job in config["scrape_configs"]
        if job["job_name"] in targets
    ]
    return config
