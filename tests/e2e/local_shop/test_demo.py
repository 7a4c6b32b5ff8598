"""The demo as a newcomer runs it: it keeps the promise, says so, and leaves nothing behind."""

import json
import signal
from pathlib import Path

import pytest

from tests.support.shop_command import all_ended, shop_command, watched

GONE_TIMEOUT_S = 20.0
KEYS = {
    "opening", "sold", "left", "refused", "failed", "oversold", "lost", "duplicated", "p50_ms", "p99_ms", "burst",
}  # fmt: skip


def test_a_short_demo_sells_out_exactly_and_says_so_in_its_last_line(tmp_path: Path) -> None:
    with shop_command("demo", shop_dir=tmp_path, DEMO_SECONDS="3", DEMO_RATE="20", DEMO_CLIENTS="5") as demo:
        assert demo.finish() == 0, demo.lines
    assert demo.lines[-1] == "AUDIT OK opening=40 sold=40 left=0 oversold=0 lost=0 duplicated=0"
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert figures.keys() == KEYS
    assert {name: figures[name] for name in ("opening", "sold", "left", "refused", "failed")} == {
        "opening": 40,
        "sold": 40,
        "left": 0,
        "refused": 20,
        "failed": 0,
    }
    assert (figures["oversold"], figures["lost"], figures["duplicated"]) == (0, 0, 0)
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["burst"]["orders_per_s"] > 0
    assert not list(tmp_path.glob("demo-*")), "its databases are still there"


@pytest.mark.parametrize("mode", ["async", "hybrid"])
def test_a_demo_counts_its_orders_when_they_are_decided_whatever_the_mode(tmp_path: Path, mode: str) -> None:
    settings = {"DEMO_SECONDS": "3", "DEMO_RATE": "20", "DEMO_CLIENTS": "5", "ORDER_MODE": mode}
    with shop_command("demo", shop_dir=tmp_path, **settings) as demo:
        assert demo.finish() == 0, demo.lines
    assert demo.lines[-1] == "AUDIT OK opening=40 sold=40 left=0 oversold=0 lost=0 duplicated=0"
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert [figures[name] for name in ("sold", "refused", "failed")] == [40, 20, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_demo_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with shop_command("demo", shop_dir=tmp_path, DEMO_SECONDS="60") as demo:
        demo.read_until("each at its moment")
        with watched(demo.descendants()) as processes:
            assert len(processes) > 4, "PostgreSQL, its own processes, and three services"
            demo.send(number)
            assert demo.finish() == (-signal.SIGKILL if number is signal.SIGKILL else 128 + signal.SIGINT)
            assert all_ended(processes, GONE_TIMEOUT_S)
    assert not (tmp_path / "demo.json").exists()
    # Only a killed demo cannot clean up after itself: the next one does.
    assert bool(list(tmp_path.glob("demo-*"))) == (number is signal.SIGKILL)


def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with shop_command("demo", shop_dir=tmp_path, DEMO_SECONDS="soon") as demo:
        assert demo.finish() == 2
    assert "DEMO_SECONDS" in "\n".join(demo.lines)
