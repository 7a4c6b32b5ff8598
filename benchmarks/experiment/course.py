"""The course of the experiment: mode by mode, the strategies' shops side by side."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import grpc

from benchmarks.experiment.measuring import CellMeasuring
from benchmarks.experiment.plan import POOL_SIZES, Budget, Cell, ExperimentPlan
from benchmarks.experiment.results import CellResult, ExperimentResults
from benchmarks.load import LoadGenerator
from benchmarks.progress import Progress, Told
from benchmarks.shops import BenchShop
from benchmarks.stage import Stage
from local_shop.errors import LocalShopError
from recordshop.client import RecordShop

# What a shop does that does not answer, or has ended: it costs its combination, and the others are measured.
FAILURES = (LocalShopError, asyncpg.PostgresError, asyncpg.InterfaceError, grpc.RpcError, OSError)
Measurings = Mapping[str, CellMeasuring]


class ExperimentCourse:
    """Runs one mode after the other. Its shops are open together, and each combination is measured on all of them in turn."""

    def __init__(
        self, *, plan: ExperimentPlan, budget: Budget, stage: Stage, generator: LoadGenerator, progress: Progress
    ) -> None:
        self._plan = plan
        self._stage = stage
        self._generator = generator
        self._progress = progress
        self._budget = budget
        self.results = ExperimentResults()

    async def run(self) -> ExperimentResults:
        """Measure all that the plan asks for; what fails is told in the results."""
        for mode in self._plan.modes:
            async with self._shops(mode) as measurings:
                with self._progress.block(mode, self._plan.cells_of_a_mode) as show:
                    for number, row in enumerate(self._plan.rows(mode)):
                        if number and self._budget.is_over(mode):
                            self._leave_out(row)
                            continue
                        for cell in row:
                            await self._measure(cell, measurings, show)
        return self.results

    def _leave_out(self, row: Sequence[Cell]) -> None:
        self.results.left_out += len(row)
        self._budget.leave_out(len(row))

    async def _measure(self, cell: Cell, measurings: Measurings, show: Told) -> None:
        start_s, load_s = time.monotonic(), self._budget.load_s()
        if cell.strategy in measurings:
            try:
                told = await measurings[cell.strategy].measure(cell, load_s=load_s)
            except FAILURES as error:
                self._fail(f"{_name(cell)} was not measured", error)
            else:
                self.results.cells.append(told)
                self.results.faults += [f"{_name(cell)}: {fault}" for fault in told.faults]
                show(describe(told))
        self._budget.spent(time.monotonic() - start_s, load_s=load_s)

    @asynccontextmanager
    async def _shops(self, mode: str) -> AsyncIterator[Measurings]:
        """Open a shop for each strategy; those that do not start are told, and left out."""
        async with AsyncExitStack() as open_shops:
            measurings = {}
            for strategy in self._plan.strategies:
                try:
                    measurings[strategy] = await open_shops.enter_async_context(self._shop(strategy, mode))
                except FAILURES as error:
                    self._fail(f"the shop {strategy} {mode} did not start", error)
            yield measurings

    @asynccontextmanager
    async def _shop(self, strategy: str, mode: str) -> AsyncIterator[CellMeasuring]:
        """Open a shop, which is audited as a whole when all is measured."""
        pools = {service: {"POSTGRES_POOL_SIZE_MAX": str(size)} for service, size in POOL_SIZES.items()}
        settings = {
            **pools,
            "catalog": {"STOCK_STRATEGY": strategy, **pools["catalog"]},
            "order": {"ORDER_MODE": mode, **pools["order"]},
        }
        async with (
            self._stage.shop(f"{strategy}_{mode}", settings=settings) as shop,
            RecordShop(catalog=shop.local.catalog_addr) as discs,
        ):
            yield CellMeasuring(
                shop=shop, discs=discs, props=self._stage.props, generator=self._generator, plan=self._plan
            )
            await self._judge(shop)

    async def _judge(self, shop: BenchShop) -> None:
        try:
            shop.local.raise_if_ended()
            verdict = await shop.audit()
        except FAILURES as error:
            self._fail(f"{shop.name} was not audited", error)
            return
        self.results.verdicts[shop.name] = verdict
        self.results.faults += [f"{shop.name}: {fault}" for fault in verdict.faults]

    def _fail(self, what: str, error: Exception) -> None:
        self.results.faults.append(f"{what}: {error or type(error).__name__}")
        self._progress.say(self.results.faults[-1])


def _name(cell: Cell) -> str:
    return f"{cell.strategy} {cell.mode}, {cell.discs} of {cell.clients} clients"


def describe(told: CellResult) -> str:
    """Tell a combination in a line."""
    cell, sale = told.cell, told.sale
    settled = "not settled" if sale.settle_s is None else f"settled in {sale.settle_s:.1f} s"
    return (
        f"{cell.strategy:<12}{cell.discs:<5}{cell.clients:>4} clients {sale.orders_per_s:7,.0f}/s  p50 {sale.p50_ms:.1f} ms  "
        f"p99 {sale.p99_ms:.1f} ms  {settled}" + "".join(f"  WRONG: {fault}" for fault in told.faults)
    )
