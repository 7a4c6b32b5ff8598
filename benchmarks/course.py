"""The course of the benchmark: which rows are measured beside which, on which shops."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.blocks import Block
from benchmarks.errors import BenchmarkFailed
from benchmarks.figures import RatioSpec, counted_by_row, median_rate
from benchmarks.generators import Generators
from benchmarks.locks import OPEN, Lock, tls_alone, tls_and_tokens
from benchmarks.menu import Menu
from benchmarks.pgbench import Pgbench
from benchmarks.plan import Plan
from benchmarks.progress import Progress
from benchmarks.props import ANY_DISC
from benchmarks.results import Results
from benchmarks.rows import Row
from benchmarks.shops import BenchShop
from benchmarks.stage import Stage

# By when each part should be done, as a share of the plan's budget.
SHARES = {"pool": 0.2, "grouping": 0.36, "alone": 0.56, "baselines": 0.8, "batches": 0.95}
UNARY, UNGROUPED, ECHO, PGBENCH, REFUSED = "unary", "ungrouped", "echo", "pgbench", "refused"
UNARY_TLS, UNARY_TLS_TOKENS = "unary_tls", "unary_tls_tokens"


class Course:
    """Runs one part after the other; each compares what it measures in turns."""

    def __init__(
        self, *, plan: Plan, stage: Stage, pgbench: Pgbench, generators: Generators, progress: Progress
    ) -> None:
        self._plan = plan
        self._stage = stage
        self._pgbench = pgbench
        self._generators = generators
        self._progress = progress
        self._menu = Menu(plan, stage.props, generators.lightest)
        self._start_s = time.monotonic()
        self.results = Results()

    async def run(self) -> Results:
        """Measure all that the plan asks for."""
        pool_size = self.results.ungrouped_pool_size = await self._best_pool_size()
        async with self._shop("main") as main:
            async with self._shop("ungrouped", ungrouped_pool=pool_size) as ungrouped:
                await self._compare_with_ungrouped(main, ungrouped)
            await self._compare_with_baselines(main)
            await self._measure_batches(main)
            if self._plan.locks:
                await self._compare_with_locked(main)
            await self._measure_more(main)
            self.results.resident_mb = main.resident_mb()
        if self._plan.rows_filled:
            await self._compare_with_filled()
        return self.results

    async def _best_pool_size(self) -> int:
        for size in self._plan.pool_sizes:
            async with self._shop(f"ungrouped_{size}", ungrouped_pool=size) as shop:
                await self._measure("pool", [self._menu.single(f"ungrouped_{size}", shop)], self._plan.rounds_pool)
        return max(self._plan.pool_sizes, key=lambda size: self._rate(f"ungrouped_{size}"))

    async def _compare_with_ungrouped(self, main: BenchShop, ungrouped: BenchShop) -> None:
        rows: list[Row] = [self._menu.single(UNARY, main), self._menu.single(UNGROUPED, ungrouped)]
        await self._measure("grouping", rows, self._plan.rounds, ("vs_ungrouped", UNARY, UNGROUPED))
        alone: list[Row] = [
            self._menu.single(f"{name}_1", shop, clients=1, seconds=self._plan.round_alone_s)
            for name, shop in ((UNARY, main), (UNGROUPED, ungrouped))
        ]
        names = ("alone_vs_ungrouped", f"{UNARY}_1", f"{UNGROUPED}_1")
        await self._measure("alone", alone, self._plan.rounds_alone, names)

    async def _compare_with_baselines(self, main: BenchShop) -> None:
        with self._stage.echo() as echo:
            rows: list[Row] = [
                self._menu.pgbench(PGBENCH, self._pgbench, self._stage.server),
                self._menu.single(UNARY, main),
                self._menu.echo(ECHO, echo),
                self._menu.refused(REFUSED, main),
            ]
            await self._measure(
                "baselines",
                rows,
                self._plan.rounds,
                ("vs_pgbench", UNARY, PGBENCH),
                ("vs_echo", UNARY, ECHO),
                ("refused_vs_echo", REFUSED, ECHO),
                ("refused_vs_unary", REFUSED, UNARY),
            )

    async def _compare_with_locked(self, main: BenchShop) -> None:
        certs = self._stage.folder / "certs"
        locks = {UNARY_TLS: tls_alone(certs), UNARY_TLS_TOKENS: tls_and_tokens(certs)}
        async with (
            self._shop("tls", lock=locks[UNARY_TLS]) as tls,
            self._shop("locked", lock=locks[UNARY_TLS_TOKENS]) as locked,
        ):
            rows: list[Row] = [
                self._menu.single(UNARY, main),
                self._menu.single(UNARY_TLS, tls),
                self._menu.single(UNARY_TLS_TOKENS, locked),
            ]
            await self._measure(
                "locks",
                rows,
                self._plan.rounds,
                ("tls_vs_plain", UNARY_TLS, UNARY),
                ("tls_tokens_vs_plain", UNARY_TLS_TOKENS, UNARY),
            )

    async def _measure_batches(self, main: BenchShop) -> None:
        rows: list[Row] = [self._menu.pgbench(PGBENCH, self._pgbench, self._stage.server)]
        names = {
            size: [f"batch_{size}_x{clients}" for clients in callers] for size, callers in self._plan.batches.items()
        }
        for size, callers in self._plan.batches.items():
            rows += [
                self._menu.batch(name, main, size=size, clients=clients)
                for name, clients in zip(names[size], callers, strict=True)
            ]
        await self._measure("batches", rows, self._plan.rounds)
        for size, candidates in names.items():
            best = max(candidates, key=self._rate)
            self.results.ratios.append(RatioSpec(f"batch_{size}_vs_pgbench", best, PGBENCH, "batches"))

    async def _measure_streams(self, main: BenchShop) -> None:
        names = [f"stream_x{clients}" for clients in self._plan.streams]
        streams = [
            self._menu.stream(name, main, clients=clients)
            for name, clients in zip(names, self._plan.streams, strict=True)
        ]
        await self._measure("streams", [self._menu.single(UNARY, main), *streams], self._plan.rounds)
        self.results.ratios.append(RatioSpec("stream_vs_unary", max(names, key=self._rate), UNARY, "streams"))

    async def _measure_more(self, main: BenchShop) -> None:
        if self._generators.other is not None:
            row = self._menu.single("unary_ghz", main, generator=self._generators.other)
            await self._measure("client", [row], self._plan.rounds_other_client)
        if self._plan.streams:
            await self._measure_streams(main)
        if self._plan.crowds:
            crowds: list[Row] = [
                self._menu.single(f"{UNARY}_{clients}", main, clients=clients) for clients in self._plan.crowds
            ]
            await self._measure("clients", crowds, self._plan.rounds)
        if self._plan.spread:
            spread: list[Row] = [
                self._menu.single(UNARY, main),
                self._menu.single("unary_spread", main, disc_id=ANY_DISC),
            ]
            await self._measure("discs", spread, self._plan.rounds, ("hot_vs_spread", UNARY, "unary_spread"))
        if self._plan.beside:
            row_beside = self._menu.beside_batches("unary_beside_batches", main)
            await self._measure("beside", [row_beside], self._plan.rounds)

    async def _compare_with_filled(self) -> None:
        self._progress.say(f"Filling a shop with {self._plan.rows_filled:,} orders ...")
        async with self._shop("filled", orders_filled=self._plan.rows_filled) as filled, self._shop("empty") as empty:
            rows: list[Row] = [self._menu.single("unary_filled", filled), self._menu.single("unary_empty", empty)]
            await self._measure("rows", rows, self._plan.rounds, ("rows_5m_vs_empty", "unary_filled", "unary_empty"))

    async def _measure(self, block: str, rows: list[Row], rounds: int, *ratios: tuple[str, str, str]) -> None:
        specs = [RatioSpec(name, over, under, block) for name, over, under in ratios]
        deadline_s = self._start_s + self._plan.budget_s * SHARES.get(block, 1.0)
        planned = Block(block, rows, rounds, self._plan.rounds_min, specs, deadline_s)
        await self.results.measure(planned, self._progress)

    def _rate(self, row: str) -> float:
        return median_rate(counted_by_row(self.results.rounds).get(row, ()))

    @asynccontextmanager
    async def _shop(
        self, name: str, *, lock: Lock = OPEN, ungrouped_pool: int | None = None, orders_filled: int = 0
    ) -> AsyncIterator[BenchShop]:
        """Run a shop that is audited when it has done its work."""
        async with self._stage.shop(
            name, lock=lock, ungrouped_pool=ungrouped_pool, orders_filled=orders_filled
        ) as shop:
            try:
                yield shop
            except BenchmarkFailed:
                shop.local.raise_if_ended()
                raise
            verdict = await shop.audit()
            self.results.judge(name, verdict)
            self._progress.say(
                f"audit of {name}: {verdict.copies_sold:,} copies sold, {verdict.disagreements} disagreements"
            )
