"""Prometheus' own judgement of its files: the set-up, the rules, and when each rule fires."""

import subprocess
from pathlib import Path

from tests.support.debian_server import debian_program
from tests.support.observability import ALERTS, PROMETHEUS, alert_rules, read_yaml

CASES = Path(__file__).with_name("alerts_test.yml")
PROMTOOL_TIMEOUT_S = 60.0


def promtool(*words: str | Path) -> str:
    """Run promtool, which is content or fails the test; return what it says."""
    program = debian_program("promtool", package="prometheus")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=PROMTOOL_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_its_set_up_with_the_rules() -> None:
    assert f"{len(alert_rules())} rules found" in promtool("check", "config", "--lint-fatal", PROMETHEUS)


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(alert_rules())} rules found" in promtool("check", "rules", "--lint-fatal", ALERTS)


def test_each_alert_fires_when_it_should_and_not_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES)


def test_no_alert_is_untested() -> None:
    cases = [case for test in read_yaml(CASES)["tests"] for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in alert_rules()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names
