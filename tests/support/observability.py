"""What the observability profile is made of: its dashboards, its alerts, and how Prometheus is set up."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
PROMETHEUS = COMPOSE / "prometheus" / "prometheus.yml"
ALERTS = COMPOSE / "prometheus" / "alerts.yml"
GRAFANA = COMPOSE / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
# What Prometheus itself knows, without any service's telling it.
PROMETHEUS_OWN = frozenset({"up", "ALERTS"})


@dataclass(frozen=True)
class PanelQuery:
    """A query of a panel, as Grafana would send it but for its variables."""

    dashboard: str
    panel: str
    expression: str

    def __str__(self) -> str:
        """Name the panel."""
        return f"{self.dashboard}: {self.panel}"


def read_yaml(path: Path) -> Any:
    """Parse a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_dashboard(path: Path) -> dict[str, Any]:
    """Parse a dashboard."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels_of(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a dashboard's panels without its rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def panel_queries() -> list[PanelQuery]:
    """Return every query of every panel."""
    return [
        PanelQuery(path.stem, panel["title"], target["expr"])
        for path in DASHBOARDS
        for panel in panels_of(read_dashboard(path))
        for target in panel["targets"]
    ]


def alert_rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]
