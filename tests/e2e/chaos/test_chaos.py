"""Chaos as it is run by make: it tells what it did, and leaves nothing behind however it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.shop_command import ShopCommand, all_ended, watched

ROOT = Path(__file__).parents[3]
GONE_TIMEOUT_S = 20.0
# PostgreSQL with processes of its own, and two of each of three services.
PROCESSES_MIN = 7
KEYS = {
    "seed", "faults", "calls", "acknowledged", "open_orders_at_end", "recovery_s", "violations", "violation_histories",
}  # fmt: skip


@contextmanager
def chaos(shop_dir: Path, **environment: str) -> Iterator[ShopCommand]:
    """Starts a run with a folder of its own; at the end it is stopped, if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.chaos", "run"],
        cwd=ROOT,
        env=os.environ | {"SHOP_DIR": str(shop_dir), "CHAOS_SEED": "7"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield ShopCommand(process)
        finally:
            process.terminate()


def test_a_very_short_run_keeps_every_rule_and_says_so(tmp_path: Path) -> None:
    with chaos(tmp_path, CHAOS_MINUTES="0.15") as run:
        assert run.finish() == 0, run.lines
    assert run.lines[-1].startswith("CHAOS OK seed=7 faults=6 acknowledged=")
    report = json.loads((tmp_path / "chaos.json").read_text())
    assert report.keys() >= KEYS
    assert (report["seed"], report["faults"]["total"]) == ("7", 6)
    assert (report["violations"], report["open_orders_at_end"], report["violation_histories"]) == (0, 0, [])
    assert report["acknowledged"] > 0
    assert report["calls"]["create.CONFIRMED"] >= report["acknowledged"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with chaos(tmp_path) as run:
        run.read_until("acknowledged")
        with watched(run.descendants()) as processes:
            assert len(processes) >= PROCESSES_MIN
            run.send(number)
            assert run.finish() == (-signal.SIGKILL if number is signal.SIGKILL else 128 + signal.SIGINT)
            assert all_ended(processes, GONE_TIMEOUT_S)
    assert not (tmp_path / "chaos.json").exists()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with chaos(tmp_path) as first:
        first.read_until("acknowledged")
        with chaos(tmp_path) as second:
            assert second.finish() == 1
        assert "Another run is under way" in second.lines[-1]
