"""The audit: the orders held against the stock ledger, order by order."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from order_service.catalog_client import CatalogClient, HeldLine, StockBalance
from order_service.errors import DiscNotFound
from order_service.merge import Peekable, merged
from order_service.metrics import AuditStats
from order_service.model import OrderStatus
from order_service.order_lines import OrderLines, PlacedLine
from service_runtime.deadline import Deadline

WRONG_IDS_MAX = 20
READ_AGAIN_S = 0.2
READS_AT_ONCE_MAX = 8

# One line of an order, and what the ledger said of it after that.
Reading = tuple[PlacedLine | None, HeldLine | None]


class Verdict(StrEnum):
    """The outcome of a disc's audit, or of one of its orders."""

    AGREES = "AGREES"
    DISAGREES = "DISAGREES"
    OPEN = "OPEN"


@dataclass
class DiscAudit:
    """What was found for one disc; opening + moved = left + held is read from one snapshot of the catalog."""

    balance: StockBalance
    sold: int = 0
    open: int = 0
    wrong_order_ids: list[UUID] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Something final that differs weighs more than something that is not final."""
        if self.wrong_order_ids or self.balance.opening + self.balance.moved != self.balance.left + self.balance.held:
            return Verdict.DISAGREES
        return Verdict.OPEN if self.open else Verdict.AGREES


def compare(placed: PlacedLine | None, held: HeldLine | None) -> Verdict:
    """Holds one line of an order against its row of the ledger; either may be missing."""
    if placed is None:
        return Verdict.DISAGREES if held is not None and held.is_reserved else Verdict.AGREES
    if placed.is_open:
        return Verdict.OPEN
    if placed.status is OrderStatus.CONFIRMED:
        agrees = (
            held is not None
            and held.is_reserved
            and (held.quantity, held.price_cents, held.returned)
            == (placed.quantity, placed.price_cents, placed.returned)
        )
    elif placed.status is OrderStatus.CANCELLED:
        # An order that the catalog had refused may be cancelled before it is rejected; its refusal stays.
        agrees = held is not None and not held.is_reserved
    else:
        agrees = held is None or not held.is_reserved
    return Verdict.AGREES if agrees else Verdict.DISAGREES


class StockAudit:
    """Audits discs while the shop runs."""

    def __init__(
        self, *, lines: OrderLines, catalog: CatalogClient, settle_s: float, stats: AuditStats | None = None
    ) -> None:
        self._stats = stats
        self._lines = lines
        self._catalog = catalog
        self._settle_s = settle_s
        self._reads = asyncio.Semaphore(READS_AT_ONCE_MAX)

    async def audit(self, disc_ids: Sequence[UUID]) -> AsyncIterator[DiscAudit]:
        """Audits these discs or, if none is named, all, in the order of their ids. Raises DiscNotFound, naming every unknown one."""
        disagreeing, end_time_s = 0, None
        try:
            async for audit in self._audit(disc_ids):
                disagreeing += audit.verdict is Verdict.DISAGREES
                yield audit
            end_time_s = None if disc_ids else time.time()
        finally:
            if self._stats is not None:
                self._stats.found(disagreeing, end_time_s=end_time_s)

    async def _audit(self, disc_ids: Sequence[UUID]) -> AsyncIterator[DiscAudit]:
        wanted = sorted(set(disc_ids))
        await self._require(wanted)
        async with self._lines.walk(wanted) as placed_lines:
            balances = Peekable(self._catalog.balances(wanted), key=lambda balance: balance.disc_id)
            placed = Peekable(placed_lines, key=lambda line: (line.disc_id, line.order_id))
            held = Peekable(self._ledger(wanted), key=lambda line: (line.disc_id, line.order_id))
            while (disc_id := await _next_disc(balances, placed, held)) is not None:
                found = await balances.take_if(disc_id)
                audit = DiscAudit(balance=found or StockBalance(disc_id, 0, 0, 0, 0))
                doubtful = await self._first_reading(audit, placed, held)
                await self._read_again(audit, doubtful)
                if found is not None or audit.wrong_order_ids:
                    yield audit

    async def _require(self, disc_ids: Sequence[UUID]) -> None:
        if not disc_ids:
            return
        known = {balance.disc_id async for balance in self._catalog.balances(disc_ids)}
        missing = [str(disc_id) for disc_id in disc_ids if disc_id not in known]
        if missing:
            raise DiscNotFound({"disc_id": ",".join(missing)})

    async def _ledger(self, disc_ids: Sequence[UUID]) -> AsyncIterator[HeldLine]:
        all_discs: Sequence[UUID | None] = [None]
        for disc_id in disc_ids or all_discs:
            async for line in self._catalog.ledger(disc_id):
                yield line

    async def _first_reading(
        self, audit: DiscAudit, placed: Peekable[PlacedLine], held: Peekable[HeldLine]
    ) -> dict[UUID, Reading]:
        """Compares what both sides said; answers what does not agree yet, by order id."""
        doubtful: dict[UUID, Reading] = {}
        async for order_id, order_line, ledger_line in merged(audit.balance.disc_id, placed, held):
            if compare(order_line, ledger_line) is Verdict.AGREES:
                audit.sold += _sold(order_line)
            else:
                doubtful[order_id] = order_line, ledger_line
        return doubtful

    async def _read_again(self, audit: DiscAudit, doubtful: dict[UUID, Reading]) -> None:
        """The two sides were read at different moments: reads again what differs until it is final, for a limited time.

        The ledger changes only while its order is open. An order that is the same before and after its ledger was read did not change in
        between: what differs then is wrong.
        """
        deadline = Deadline.after(self._settle_s)
        disc_id = audit.balance.disc_id
        while doubtful:
            placed = await self._lines.now(disc_id, list(doubtful))
            wrong = [
                order_id
                for order_id, (before, held) in doubtful.items()
                if compare(before, held) is Verdict.DISAGREES and before == placed.get(order_id)
            ]
            _note_wrong(audit, wrong)
            readings = await self._held_now(disc_id, doubtful, placed)
            agreeing = {order_id for order_id, reading in readings.items() if compare(*reading) is Verdict.AGREES}
            audit.sold += sum(_sold(placed.get(order_id)) for order_id in agreeing.union(wrong))
            doubtful = {
                order_id: reading for order_id, reading in readings.items() if order_id not in agreeing.union(wrong)
            }
            if doubtful and deadline.passed():
                audit.open += len(doubtful)
                return
            if doubtful:
                await asyncio.sleep(READ_AGAIN_S)

    async def _held_now(
        self, disc_id: UUID, known: dict[UUID, Reading], placed: dict[UUID, PlacedLine]
    ) -> dict[UUID, Reading]:
        """Asks the ledger again for what still differs, and only for that: under load most is settled by the order's newer state."""

        async def read(order_id: UUID) -> Reading:
            order_line, ledger_line = placed.get(order_id), known[order_id][1]
            if compare(order_line, ledger_line) is not Verdict.DISAGREES:
                return order_line, ledger_line
            async with self._reads:
                return order_line, await self._catalog.ledger_line(order_id, disc_id)

        return dict(zip(known, await asyncio.gather(*map(read, known)), strict=True))


def _sold(placed: PlacedLine | None) -> int:
    return placed.quantity - placed.returned if placed is not None and placed.status is OrderStatus.CONFIRMED else 0


def _note_wrong(audit: DiscAudit, order_ids: Iterable[UUID]) -> None:
    audit.wrong_order_ids += list(order_ids)[: WRONG_IDS_MAX - len(audit.wrong_order_ids)]


async def _next_disc(
    balances: Peekable[StockBalance], placed: Peekable[PlacedLine], held: Peekable[HeldLine]
) -> UUID | None:
    heads = [await balances.peek(), await placed.peek(), await held.peek()]
    return min((head.disc_id for head in heads if head is not None), default=None)
