"""The smallest possible experiment, with all strategies and modes, and what makes one fail; nothing about speed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import audit
from benchmarks.errors import BenchmarkFailed
from benchmarks.experiment.course import ExperimentCourse
from benchmarks.experiment.measuring import CellMeasuring
from benchmarks.experiment.page import page
from benchmarks.experiment.plan import Budget, Cell, ExperimentPlan, smallest_plan
from benchmarks.experiment.report import ExperimentReport
from benchmarks.experiment.run import run_experiment
from benchmarks.json_file import write_json
from benchmarks.load import Call, Load, LoadGenerator
from benchmarks.progress import Progress
from benchmarks.shops import BenchShop
from benchmarks.stage import Stage
from recordshop.client import RecordShop
from tests.support.load_clients import skip_without_client

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)

ONE_ORDER = "(SELECT id FROM orders WHERE status = 'CONFIRMED' ORDER BY create_time DESC LIMIT 1)"
ONE = Cell("grouped", "sync", "one", 8)
MANY = Cell("grouped", "sync", "many", 8)


@pytest.fixture(scope="module")
async def report(tmp_path_factory: pytest.TempPathFactory) -> ExperimentReport:
    skip_without_client()
    return await run_experiment(smallest_plan(), tmp_path_factory.mktemp("experiment"), Progress())


@pytest.fixture(scope="module")
def told(report: ExperimentReport, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("report") / "experiment.json"
    write_json(report.as_json(), path)
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


@asynccontextmanager
async def measured_shop(
    stage: Stage, name: str, generator: LoadGenerator
) -> AsyncIterator[tuple[BenchShop, CellMeasuring]]:
    async with stage.shop(name) as shop, RecordShop(catalog=shop.local.catalog_addr) as discs:
        yield (
            shop,
            CellMeasuring(shop=shop, discs=discs, props=stage.props, generator=generator, plan=smallest_plan()),
        )


async def test_every_strategy_runs_in_every_mode_and_all_audits_agree(report: ExperimentReport) -> None:
    assert report.faults == []
    assert report.last_line == "EXPERIMENT OK cells=24 disagreements=0"
    assert set(report.results.verdicts) == {
        f"{strategy}_{mode}" for strategy in smallest_plan().strategies for mode in smallest_plan().modes
    }


async def test_every_order_is_counted_at_its_end(told: dict[str, Any]) -> None:
    for cell in told["results"]:
        sale, last = cell["sale"], cell["last_copies"]
        assert (sale["orders"], sale["refused"]) == (sale["calls"], 0)
        assert last["confirmed"] + last["refused"] == last["orders"] == last["calls"] == 56
        assert cell["orders_per_s"] > 0
        assert 0 < cell["p50_ms"] <= cell["p99_ms"]
        assert cell["cpu_us_per_order"]["postgres"] > 0
        assert cell["settle_s"] is not None
        if cell["discs"] == "one":
            assert (last["confirmed"], last["refused"]) == (28, 28)


async def test_a_shop_holds_as_many_orders_as_its_combinations_tell(told: dict[str, Any]) -> None:
    for shop, verdict in told["audit"]["shops"].items():
        strategy, _, mode = shop.partition("_")
        cells = [cell for cell in told["results"] if (cell["strategy"], cell["mode"]) == (strategy, mode)]
        # One order more is the one that every shop begins with.
        assert verdict["orders_sold"] == 1 + sum(cell["confirmed"] for cell in cells)


async def test_the_page_can_be_written(told: dict[str, Any]) -> None:
    assert "24 combinations, with 8 clients (" in page(told)


async def test_a_lost_order_fails_its_combination(
    stage: Stage, client: LoadGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SETTLE_S", 0.0)
    async with measured_shop(stage, "loses", client) as (shop, measuring):
        assert (await measuring.measure(ONE, load_s=0.1)).faults == []
        await shop.books._orders.execute(f"DELETE FROM orders WHERE id = {ONE_ORDER}")
        told = await measuring.measure(MANY, load_s=0.1)
    assert told.verdict.disagreements == 1
    assert any("in the ledger" in fault for fault in told.faults)


async def test_a_refusal_while_copies_are_left_is_found(stage: Stage, client: LoadGenerator) -> None:
    async with measured_shop(stage, "refuses", client) as (shop, measuring):
        mark = await shop.books.mark()
        await measuring.measure(ONE, load_s=0.1)
        assert await shop.books.false_refusals(mark) == 0
        await shop.books._orders.execute(
            f"UPDATE orders SET status = 'REJECTED', reason = 'OUT_OF_STOCK' WHERE id = {ONE_ORDER}"
        )
        assert await shop.books.false_refusals(mark) == 1


async def test_orders_that_were_left_to_recovery_are_aborted_ones(stage: Stage, client: LoadGenerator) -> None:
    async with measured_shop(stage, "aborts", client) as (shop, measuring):
        mark = await shop.books.mark()
        await measuring.measure(ONE, load_s=0.1)
        assert await shop.books.left_open(mark, own_s=5.0) == 0
        await shop.books._orders.execute(
            f"UPDATE orders SET update_time = create_time + interval '6 seconds' WHERE id = {ONE_ORDER}"
        )
        assert await shop.books.left_open(mark, own_s=5.0) == 1


class Failing:
    """A client that fails once."""

    name = "failing"

    def __init__(self, client: LoadGenerator) -> None:
        self._client = client
        self._has_failed = False

    async def run(self, call: Call, *, calls: int, clients: int) -> Load:
        if not self._has_failed:
            self._has_failed = True
            raise BenchmarkFailed("The client failed.")
        return await self._client.run(call, calls=calls, clients=clients)


async def test_a_combination_that_fails_is_told_and_the_others_are_measured(
    stage: Stage, client: LoadGenerator, tmp_path: Path
) -> None:
    plan = ExperimentPlan(quick=True, strategies=("grouped",), modes=("sync",), clients=(4,), load_s=0.1, calls_max=60)
    course = ExperimentCourse(
        plan=plan, budget=Budget(plan), stage=stage, generator=Failing(client), progress=Progress()
    )
    results = await course.run()
    report = ExperimentReport(plan, {}, results)
    assert [told.cell.discs for told in results.cells] == ["many"]
    assert report.last_line == "EXPERIMENT FAILED cells=1 disagreements=0"
    assert any("The client failed." in fault for fault in report.faults)


async def test_a_shop_that_does_not_know_its_strategy_or_mode_is_not_measured(
    stage: Stage, client: LoadGenerator
) -> None:
    # Were the services to read other variables than these, all shops would be the same one.
    for strategies, modes in ((("unheard",), ("sync",)), (("grouped",), ("unheard",))):
        plan = ExperimentPlan(quick=True, strategies=strategies, modes=modes, clients=(4,), load_s=0.1)
        course = ExperimentCourse(plan=plan, budget=Budget(plan), stage=stage, generator=client, progress=Progress())
        results = await course.run()
        assert results.cells == []
        assert any("did not start" in fault for fault in results.faults)
