"""ghz with the configurations of tests/load, against the real shop."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from local_shop.shop import LocalShop
from tests.opened_shop import OpenedShop

ROOT = Path(__file__).parents[3]
CONFIGURATIONS = sorted((ROOT / "tests" / "load").glob("*.json"))
RUN_TIMEOUT_S = 120.0

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)

Run = Callable[..., Counter[str]]


@pytest.fixture
def run(ghz: Path, local_shop: LocalShop) -> Run:
    """Runs a configuration against the tests' shop, and returns how often each status was answered."""

    def run_it(configuration: Path, *, total: int) -> Counter[str]:
        call = json.loads(configuration.read_text(encoding="utf-8"))["call"]
        host = local_shop.order_addr if "OrderService" in call else local_shop.catalog_addr
        command = [
            ghz,
            "--config",
            configuration,
            "--total",
            str(total),
            "--concurrency",
            "10",
            "--format",
            "json",
            host,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr
        return Counter(json.loads(done.stdout)["statusCodeDistribution"])

    return run_it


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda path: path.stem)
def test_every_call_of_a_configuration_is_ok(run: Run, configuration: Path) -> None:
    assert run(configuration, total=20) == {"OK": 20}


@pytest.mark.parametrize("way", ["proto", "reflection"])
async def test_orders_beyond_the_stock_are_refused_and_nothing_else(
    run: Run, shop: OpenedShop, tmp_path: Path, way: str
) -> None:
    disc = await shop.make_disc(stock=15)
    usual = json.loads((ROOT / "tests" / "load" / f"create_order.{way}.json").read_text(encoding="utf-8"))
    usual["data"]["lines"][0]["disc_id"] = disc.id
    configuration = tmp_path / "create_order.json"
    configuration.write_text(json.dumps(usual), encoding="utf-8")
    assert run(configuration, total=40) == {"OK": 15, "FailedPrecondition": 25}


def test_the_runner_ends_with_an_audit_that_agrees(ghz: Path, local_shop: LocalShop) -> None:
    environment = os.environ | {"CATALOG_ADDR": local_shop.catalog_addr, "ORDER_ADDR": local_shop.order_addr}
    command = [sys.executable, "-m", "tests.load.run", "--total", "50", "create_order.reflection", "get_disc.proto"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("[OK]   50 responses") == 2
    assert "AUDIT AGREES opening=500" in done.stdout
