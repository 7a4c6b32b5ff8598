"""The audit straight from the databases: every order against the ledger, and every disc's copies."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import asyncpg

from local_shop.ledger_reader import Evidence, read_again, walk

CONNECT_TIMEOUT_S = 10.0
# More than the role's own, because the whole ledger is sorted.
STATEMENT_TIMEOUT_S = 300.0
READ_AGAIN_S = 0.2
SETTLE_TIMEOUT_S = 30.0
FAULTS_MAX = 20

STOCK = "SELECT disc_id, opening, moved, stock FROM audit.stock ORDER BY disc_id"
TWICE = """
SELECT customer_id, request_id, array_agg(DISTINCT order_id) AS order_ids FROM audit.orders
GROUP BY customer_id, request_id HAVING count(DISTINCT order_id) > 1
"""


class Verdict(StrEnum):
    """What is to be said of one order."""

    AGREES = "AGREES"
    OPEN = "OPEN"
    LOST = "LOST"
    DUPLICATED = "DUPLICATED"


@dataclass(frozen=True)
class DiscFigures:
    """A disc's copies: at the start, moved otherwise, on the shelf, held in the ledger, on confirmed orders; net of returns."""

    disc_id: UUID
    opening: int
    moved: int
    left: int
    held: int
    sold: int

    @property
    def oversold(self) -> int:
        """Copies that were sold, or taken, and that never were there."""
        return max(0, -self.left, max(self.held, self.sold) - self.opening - self.moved)

    @property
    def adds_up(self) -> bool:
        """Whether every copy is on the shelf or held."""
        return self.opening + self.moved == self.left + self.held


@dataclass
class DatabaseAudit:
    """What the databases say. `faults` tells in words what is wrong, up to FAULTS_MAX of them."""

    discs: list[DiscFigures] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0
    open: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def oversold(self) -> int:
        """Copies oversold, of all discs."""
        return sum(disc.oversold for disc in self.discs)

    def blame(self, fault: str) -> None:
        """Note a fault."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(fault)


def judge(evidence: Evidence, *, acknowledged: bool) -> Verdict:
    """Say what became of an order; `acknowledged` if a client was told that it is CONFIRMED."""
    if evidence.status in {"PENDING", "CANCELLING", "RETURNING"}:
        return Verdict.OPEN
    if evidence.status == "CONFIRMED":
        return Verdict.AGREES if evidence.held == evidence.ordered else Verdict.LOST
    if acknowledged:
        return Verdict.LOST
    return Verdict.DUPLICATED if evidence.held else Verdict.AGREES


async def audit_databases(
    catalog_dsn: str, order_dsn: str, *, acknowledged: Collection[UUID] = (), settle_s: float = SETTLE_TIMEOUT_S
) -> DatabaseAudit:
    """Audit a shop that may be selling: what differs is read again until it is final, for `settle_s` at most.

    `acknowledged` are orders of which a client was told that they are CONFIRMED. OSError or asyncpg.PostgresError if a
    database does not answer.
    """
    async with _connected(order_dsn) as orders, _connected(catalog_dsn) as catalog:
        auditor = _Auditor(catalog, orders, acknowledged)
        await auditor.settle(await auditor.first_reading(), settle_s)
        await auditor.look_for_second_orders()
    auditor.count_copies()
    return auditor.audit


class _Auditor:
    def __init__(self, catalog: asyncpg.Connection, orders: asyncpg.Connection, acknowledged: Collection[UUID]) -> None:
        self.audit = DatabaseAudit()
        self._catalog = catalog
        self._orders = orders
        self._acknowledged = frozenset(acknowledged)

    async def first_reading(self) -> list[Evidence]:
        """Read both databases once, each in one snapshot, fill in the discs, and return what does not agree."""
        held: Counter[UUID] = Counter()
        sold: Counter[UUID] = Counter()
        doubtful = []
        unseen = set(self._acknowledged)
        async with (
            self._orders.transaction(isolation="repeatable_read", readonly=True),
            self._catalog.transaction(isolation="repeatable_read", readonly=True),
        ):
            # The first statement takes the snapshot: that of the orders comes first, as a reservation outlives them.
            await self._orders.fetchval("SELECT 1")
            stock = await self._catalog.fetch(STOCK)
            async for evidence in walk(self._catalog, self._orders):
                unseen.discard(evidence.order_id)
                held.update(evidence.held)
                if evidence.status == "CONFIRMED":
                    sold.update(evidence.ordered)
                if self._judge(evidence) is not Verdict.AGREES:
                    doubtful.append(evidence)
        for disc_id, opening, moved, left in stock:
            self.audit.discs.append(DiscFigures(disc_id, opening, moved, left, held[disc_id], sold[disc_id]))
        return doubtful + [Evidence(order_id) for order_id in unseen]

    async def settle(self, doubtful: Sequence[Evidence], settle_s: float) -> None:
        """Read again what differs. It is final when two readings in a row say the same of an order that is not open."""
        deadline = time.monotonic() + settle_s
        while doubtful:
            before = {evidence.order_id: evidence for evidence in doubtful}
            in_time = time.monotonic() < deadline
            doubtful = []
            for evidence in await read_again(self._catalog, self._orders, list(before.values())):
                verdict = self._judge(evidence)
                is_final = verdict is not Verdict.OPEN and evidence == before[evidence.order_id]
                if verdict is not Verdict.AGREES and in_time and not is_final:
                    doubtful.append(evidence)
                elif verdict is not Verdict.AGREES:
                    self._count(evidence, verdict)
            if doubtful:
                await asyncio.sleep(READ_AGAIN_S)

    async def look_for_second_orders(self) -> None:
        """Count the request ids that have more than one order."""
        for customer_id, request_id, order_ids in await self._orders.fetch(TWICE):
            self.audit.duplicated += 1
            self.audit.blame(
                f"request_id {request_id} of customer {customer_id} has several orders: {', '.join(map(str, order_ids))}"
            )

    def count_copies(self) -> None:
        """Blame the discs whose copies do not add up."""
        for disc in self.audit.discs:
            if disc.oversold:
                self.audit.blame(f"disc {disc.disc_id} is oversold by {disc.oversold}")
            if not disc.adds_up:
                self.audit.blame(
                    f"disc {disc.disc_id} does not add up: opening {disc.opening} and {disc.moved} moved are not "
                    f"{disc.left} left and {disc.held} held"
                )

    def _judge(self, evidence: Evidence) -> Verdict:
        return judge(evidence, acknowledged=evidence.order_id in self._acknowledged)

    def _count(self, evidence: Evidence, verdict: Verdict) -> None:
        self.audit.lost += verdict is Verdict.LOST
        self.audit.duplicated += verdict is Verdict.DUPLICATED
        self.audit.open += verdict is Verdict.OPEN
        ledger = ", ".join(f"{state} for disc {disc_id}" for disc_id, state in sorted(evidence.states.items()))
        self.audit.blame(
            f"order {evidence.order_id} is {verdict}: its status is {evidence.status or 'unknown, as there is no such order'}, "
            f"and in the ledger it is {ledger or 'absent'}"
        )


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    limits = {"statement_timeout": f"{STATEMENT_TIMEOUT_S:.0f}s", "idle_in_transaction_session_timeout": "0"}
    connection = await asyncpg.connect(
        dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S, server_settings=limits
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
