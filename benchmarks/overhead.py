"""What metrics cost: `python -m benchmarks.overhead` measures the CPU time of an order with and without them, in alternating rounds."""

import asyncio
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median

from benchmarks.blocks import Block, run_block
from benchmarks.generators import find_generators
from benchmarks.load import allow_many_connections
from benchmarks.menu import Menu
from benchmarks.plan import Plan
from benchmarks.progress import Progress
from benchmarks.rounds import Round
from benchmarks.shops import BenchShop
from benchmarks.stage import opened_stage
from local_shop.errors import LocalShopError

ROUNDS = 11
PLAN = Plan(quick=True, rounds=ROUNDS, round_s=3.0, customers=200, discs=10)
# Three times as often as Prometheus does by default.
SCRAPE_INTERVAL_S = 5.0
WITH, WITHOUT = "with", "without"
SERVICES = ("catalog_service", "customer_service", "order_service")


async def measure(progress: Progress) -> Sequence[Round]:
    """Measure both shops in turns, the one with metrics while it is scraped."""
    allow_many_connections()
    with tempfile.TemporaryDirectory(prefix="record-shop-overhead-") as name:
        folder = Path(name)
        generators = await find_generators(folder)
        async with (
            opened_stage(folder, customers=PLAN.customers, discs=PLAN.discs) as stage,
            stage.shop("metered", metrics=True) as metered,
            stage.shop("plain") as plain,
            _scraped(metered),
        ):
            menu = Menu(PLAN, stage.props, generators.lightest)
            rows = [menu.single(WITH, metered), menu.single(WITHOUT, plain)]
            rounds = []
            async for told in run_block(Block("overhead", rows, ROUNDS, ROUNDS)):
                progress.say(
                    f"{told.row:<8} {told.orders_per_s:,.0f}/s, {services_cpu_us(told.cpu_us_per_order):.0f} us of CPU an order"
                )
                rounds.append(told)
            return rounds


def ratios_of(rounds: Sequence[Round]) -> list[float]:
    """Return, for each round in which both rows count, the CPU time of an order in all services with metrics over that without."""
    by_round: dict[int, dict[str, float]] = {}
    for told in rounds:
        if told.counts:
            by_round.setdefault(told.number, {})[told.row] = services_cpu_us(told.cpu_us_per_order)
    return [cpu[WITH] / cpu[WITHOUT] for cpu in by_round.values() if cpu.get(WITH) and cpu.get(WITHOUT)]


def services_cpu_us(cpu_us_per_order: Mapping[str, float]) -> float:
    """Return the CPU time of the three services, without PostgreSQL's and the client's."""
    return sum(cpu_us_per_order.get(service, 0.0) for service in SERVICES)


@asynccontextmanager
async def _scraped(shop: BenchShop) -> AsyncIterator[None]:
    urls = (shop.local.catalog_metrics_url, shop.local.customer_metrics_url, shop.local.order_metrics_url)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def read(url: str) -> None:
        with opener.open(url, timeout=SCRAPE_INTERVAL_S) as answer:
            answer.read()

    async def scrape() -> None:
        while True:
            for url in urls:
                await asyncio.to_thread(read, url)
            await asyncio.sleep(SCRAPE_INTERVAL_S)

    task = asyncio.create_task(scrape())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def main() -> None:
    """Print the figures of each round, and their medians."""
    try:
        rounds = asyncio.run(measure(Progress()))
    except LocalShopError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    for row in (WITHOUT, WITH):
        counted = [told for told in rounds if told.row == row and told.counts]
        parts = "  ".join(
            f"{name} {median(told.cpu_us_per_order[name] for told in counted):.0f}" for name in (*SERVICES, "postgres")
        )
        print(f"{row:<8} CPU us an order: {parts}")
    costs = [ratio - 1 for ratio in ratios_of(rounds)]
    print(
        f"METRICS COST {median(costs):+.1%} of the services' CPU time of an order, "
        f"{min(costs):+.1%} to {max(costs):+.1%} in {len(costs)} rounds"
    )


if __name__ == "__main__":
    main()
