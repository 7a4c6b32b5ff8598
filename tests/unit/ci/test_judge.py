"""What CI does not let pass."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

JUDGE = Path(__file__).parents[3] / ".ci" / "judge.py"
TESTS = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_passed"/>
<testcase classname="tests.a" name="test_skipped"><skipped type="pytest.skip" message="{reason}"/></testcase>
</testsuite></testsuites>"""
DEMO = {
    "opening": 333,
    "sold": 333,
    "left": 0,
    "refused": 167,
    "failed": 0,
    "oversold": 0,
    "lost": 0,
    "duplicated": 0,
    "p50_ms": 5.0,
    "p99_ms": 9.0,
    "burst": {"orders_per_s": 100.0},
}
CHAOS = {
    "seed": "1",
    "faults": {"total": 42, "kill": 42},
    "calls": {"create.CONFIRMED": 100},
    "acknowledged": 100,
    "open_orders_at_end": 0,
    "recovery_s": 1.5,
    "violations": 0,
    "violation_histories": [],
}


def judge(kind: str, report: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, JUDGE, kind, report], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(("reason", "code"), [("no Docker engine", 0), ("no Go", 1), ("", 1)])
def test_only_a_missing_docker_engine_excuses_a_skipped_test(tmp_path: Path, reason: str, code: int) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(TESTS.format(reason=reason))
    answer = judge("skips", report)
    assert answer.returncode == code
    assert ("tests.a.test_skipped" in answer.stderr) == bool(code)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({}, ""),
        ({"oversold": 1}, "oversold is 1"),
        ({"refused": 166}, "not all orders"),
        ({"left": 1}, "not opening"),
        ({"burst": {"orders_per_s": 0}}, "burst sold nothing"),
    ],
)
def test_a_demos_figures_must_be_right(tmp_path: Path, wrong: dict[str, object], word: str) -> None:
    report = tmp_path / "demo.json"
    report.write_text(json.dumps(DEMO | wrong))
    answer = judge("demo", report)
    assert answer.returncode == (1 if wrong else 0), answer.stderr
    assert word in answer.stderr


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({}, ""),
        ({"violations": 1}, "violations is 1"),
        ({"open_orders_at_end": 2}, "open_orders_at_end is 2"),
        ({"recovery_s": 30.1}, "recovery took"),
        ({"faults": {"total": 29}}, "only 29 faults"),
        ({"acknowledged": 0}, "no order"),
    ],
)
def test_chaos_must_have_struck_often_and_broken_nothing(tmp_path: Path, wrong: dict[str, object], word: str) -> None:
    report = tmp_path / "chaos.json"
    report.write_text(json.dumps(CHAOS | wrong))
    answer = judge("chaos", report)
    assert answer.returncode == (1 if wrong else 0), answer.stderr
    assert word in answer.stderr
