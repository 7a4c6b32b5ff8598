"""What a round left in the databases: only what is written there was done."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from benchmarks.audit import Verdict, audit_sums, settled

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 60.0
CONFIRMED = "CONFIRMED"
REJECTED = "REJECTED"

# By the clock of the database, which writes the orders' times too. The index on create_time makes it cheap.
NEW_ORDERS = "SELECT status, count(*) FROM orders WHERE create_time >= $1 GROUP BY status"
STOCK = "SELECT sum(stock)::bigint FROM discs"
NOW = "SELECT clock_timestamp()"
OPEN = "SELECT count(*) FROM orders WHERE create_time >= $1 AND status IN ('PENDING', 'CANCELLING')"
# An order that is decided only when its maker's time is over was left to recovery.
LEFT_OPEN = """
SELECT count(*) FROM orders
WHERE create_time >= $1 AND (status IN ('PENDING', 'CANCELLING') OR update_time >= create_time + $2 * interval '1 second')
"""
LAST_UPDATE = "SELECT max(update_time) FROM orders WHERE create_time >= $1"
REFUSED_DISCS = "SELECT DISTINCT unnest(disc_ids) AS id FROM orders WHERE create_time >= $1 AND status = 'REJECTED'"
DISCS_WITH_COPIES = "SELECT count(*) FROM discs WHERE id = ANY ($1::uuid[]) AND stock > 0"


@dataclass(frozen=True)
class Mark:
    """A moment, and the copies that were left then."""

    time: datetime
    stock: int


@dataclass(frozen=True)
class NewOrders:
    """What was written since a mark: orders by status, and the copies that went."""

    by_status: Mapping[str, int]
    copies: int

    @property
    def orders(self) -> int:
        """All of them."""
        return sum(self.by_status.values())


class Books:
    """Reads one shop's databases."""

    def __init__(self, orders: asyncpg.Connection, catalog: asyncpg.Connection) -> None:
        self._orders = orders
        self._catalog = catalog

    async def mark(self) -> Mark:
        """Return how things stand before a round."""
        return Mark(await self.now(), await self._catalog.fetchval(STOCK))

    async def now(self) -> datetime:
        """Return the time by the clock of the orders' database."""
        now: datetime = await self._orders.fetchval(NOW)
        return now

    async def since(self, mark: Mark) -> NewOrders:
        """Return what was written since."""
        rows = await self._orders.fetch(NEW_ORDERS, mark.time)
        left = await self._catalog.fetchval(STOCK)
        return NewOrders({row["status"]: row["count"] for row in rows}, mark.stock - left)

    async def left_open(self, mark: Mark, *, own_s: float) -> int:
        """Count the orders since a mark that are open, or were so for own_s seconds at least."""
        count: int = await self._orders.fetchval(LEFT_OPEN, mark.time, own_s)
        return count

    async def settled(self, mark: Mark, *, limit_s: float) -> int:
        """Wait until no order since a mark is open, limit_s seconds at most, and count those that still are."""
        return await settled(lambda: self._orders.fetchval(OPEN, mark.time), limit_s=limit_s)

    async def last_update(self, mark: Mark) -> datetime:
        """Return when the last of the orders since a mark was written to; the mark's time if there is none."""
        last: datetime | None = await self._orders.fetchval(LAST_UPDATE, mark.time)
        return last or mark.time

    async def false_refusals(self, mark: Mark) -> int:
        """Count the discs that have copies, and of which one was refused since a mark: where stock only falls, there must be none."""
        refused = await self._orders.fetch(REFUSED_DISCS, mark.time)
        count: int = await self._catalog.fetchval(DISCS_WITH_COPIES, [row["id"] for row in refused])
        return count

    async def audit(self) -> Verdict:
        """Hold all orders against the ledger."""
        return await audit_sums(self._orders, self._catalog)


@asynccontextmanager
async def opened_books(orders_dsn: str, catalog_dsn: str) -> AsyncIterator[Books]:
    """Connect to both databases."""
    orders = await asyncpg.connect(orders_dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)
    try:
        catalog = await asyncpg.connect(catalog_dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)
        try:
            yield Books(orders, catalog)
        finally:
            await catalog.close()
    finally:
        await orders.close()


def fault_of(*, asked: int, answered: int, status: str, new: NewOrders) -> str | None:
    """Say why a round does not count: unless all orders that were asked for were answered, and just these were written down as `status`."""
    if answered != asked:
        return f"{answered} of {asked} orders were answered"
    if new.by_status != {status: answered}:
        found = ", ".join(f"{count} {found}" for found, count in sorted(new.by_status.items())) or "none"
        return f"{answered} orders were answered and should be {status}; the database holds {found}"
    sold = answered if status == CONFIRMED else 0
    if new.copies != sold:
        return f"{sold} copies were sold, and {new.copies} are gone"
    return None
