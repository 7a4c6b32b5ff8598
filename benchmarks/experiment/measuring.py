"""Measures one combination on the shop that was started for it."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from benchmarks.books import CONFIRMED, REJECTED, NewOrders
from benchmarks.experiment.plan import ONE, Cell, ExperimentPlan
from benchmarks.experiment.results import CellResult, LoadResult
from benchmarks.load import Call, LoadGenerator
from benchmarks.menu import CREATE
from benchmarks.pace import Pace, shared_evenly
from benchmarks.props import ANY_DISC, ANY_EMPTY_DISC, Props
from benchmarks.rounds import cpu_us_per_order, nearest_rank
from benchmarks.shops import BenchShop
from recordshop.catalog.v1 import stock_pb2
from recordshop.client import RecordShop

SYNC = "sync"
RESTOCK_TIMEOUT_S = 10.0
LAST_COPIES_CALLS_MIN = 100
# As the order service has it: until then an order is its maker's, and later recovery's.
RECOVERY_AGE_S = 5.0


class CellMeasuring:
    """Measures a shop's combinations, one after the other."""

    def __init__(
        self, *, shop: BenchShop, discs: RecordShop, props: Props, generator: LoadGenerator, plan: ExperimentPlan
    ) -> None:
        self._shop = shop
        self._discs = discs
        self._props = props
        self._generator = generator
        self._plan = plan
        # Orders a second of the combination before, by whether of one disc or of many.
        self._rates: dict[str, float] = {}

    async def measure(self, cell: Cell, *, load_s: float) -> CellResult:
        """Sell the last copies of a disc, then one of which there are enough, and audit.

        The first load warms up, and tells how many calls fit into the second one.
        """
        faults: list[str] = []
        calls = self._last_copies_calls(cell)
        await self._restock(cell, copies=calls // 2)
        last = await self._load(cell, self._disc(cell, is_empty=True), calls, faults)
        pace = Pace(seconds=load_s, clients=cell.clients, calls_max=self._plan.calls_max)
        pace.learn(calls, last.seconds)
        sale = await self._load(cell, self._disc(cell, is_empty=False), pace.calls, faults)
        self._rates[cell.discs] = sale.calls / sale.seconds
        verdict = await self._shop.books.audit()
        return CellResult(cell=cell, sale=sale, last_copies=last, verdict=verdict, faults=[*faults, *verdict.faults])

    def _last_copies_calls(self, cell: Cell) -> int:
        guess = int(self._rates.get(cell.discs, 0.0) * self._plan.last_copies_s)
        return shared_evenly(min(max(guess, LAST_COPIES_CALLS_MIN), self._plan.calls_max), cell.clients)

    def _disc(self, cell: Cell, *, is_empty: bool) -> str:
        if cell.discs == ONE:
            return self._props.sold_out_disc_id if is_empty else self._props.hot_disc_id
        return ANY_EMPTY_DISC if is_empty else ANY_DISC

    async def _restock(self, cell: Cell, *, copies: int) -> None:
        """Put so many copies on the shelves that run out."""
        disc_ids: Sequence[str] = [self._props.sold_out_disc_id] if cell.discs == ONE else self._props.empty_disc_ids
        moves = [
            stock_pb2.AdjustStockRequest(
                disc_id=disc_id,
                movement_id=str(uuid4()),
                delta=max(copies // len(disc_ids), 1),
                reason="The last copies.",
            )
            for disc_id in disc_ids
        ]
        await asyncio.gather(*(self._discs.stock.AdjustStock(move, timeout=RESTOCK_TIMEOUT_S) for move in moves))

    async def _load(self, cell: Cell, disc_id: str, calls: int, faults: list[str]) -> LoadResult:
        """Make a load, wait for the end of all its orders, and count them in the databases; what is wrong goes to `faults`."""
        call = Call(self._shop.local.order_addr, CREATE, self._props.request(disc_id).SerializeToString())
        books = self._shop.books
        mark = await books.mark()
        before = self._shop.cpu.read()
        load = await self._generator.run(call, calls=calls, clients=cell.clients)
        end_time = await books.now()
        left_open = await books.left_open(
            mark, own_s=RECOVERY_AGE_S if cell.mode == SYNC else self._plan.settle_limit_s
        )
        still_open = await books.settled(mark, limit_s=self._plan.settle_limit_s)
        after = self._shop.cpu.read()
        new = await books.since(mark)
        settle_s = max(0.0, (await books.last_update(mark) - end_time).total_seconds())
        faults += _faults(new, calls=calls, open_orders=still_open, false_refusals=await books.false_refusals(mark))
        return LoadResult(
            calls=calls,
            answered=load.answered,
            seconds=load.seconds,
            p50_ms=nearest_rank(load.latencies_ms, 0.5),
            p99_ms=nearest_rank(load.latencies_ms, 0.99),
            orders=new.orders,
            confirmed=new.by_status.get(CONFIRMED, 0),
            refused=new.by_status.get(REJECTED, 0),
            aborted=left_open if cell.mode == SYNC else 0,
            pending=0 if cell.mode == SYNC else left_open,
            settle_s=None if still_open else round(settle_s, 3),
            cpu_us_per_order=cpu_us_per_order((before, after), new.orders),
        )


def _faults(new: NewOrders, *, calls: int, open_orders: int, false_refusals: int) -> list[str]:
    """Say what must not be, beside what the audit finds."""
    confirmed = new.by_status.get(CONFIRMED, 0)
    told = {
        f"{calls} calls made {new.orders} orders": not 0 < new.orders <= calls,
        f"{open_orders} orders did not come to their end": open_orders > 0,
        f"{confirmed} copies were sold, and {new.copies} are gone": confirmed != new.copies,
        f"of {false_refusals} discs an order was refused, and copies are left": false_refusals > 0,
    }
    return [fault for fault, is_so in told.items() if is_so]
