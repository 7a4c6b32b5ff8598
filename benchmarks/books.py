"""What a round left in the databases: only what is written there was done."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from benchmarks.audit import Verdict, audit_sums

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 60.0
CONFIRMED = "CONFIRMED"
REJECTED = "REJECTED"

# By the clock of the database, which writes the orders' times too. The index on create_time makes it cheap.
NEW_ORDERS = "SELECT status, count(*) FROM orders WHERE create_time >= $1 GROUP BY status"
STOCK = "SELECT sum(stock)::bigint FROM discs"


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


class Books:
    """Reads one shop's databases."""

    def __init__(self, orders: asyncpg.Connection, catalog: asyncpg.Connection) -> None:
        self._orders = orders
        self._catalog = catalog

    async def mark(self) -> Mark:
        """Return how things stand before a round."""
        return Mark(await self._orders.fetchval("SELECT clock_timestamp()"), await self._catalog.fetchval(STOCK))

    async def since(self, mark: Mark) -> NewOrders:
        """Return what was written since."""
        rows = await self._orders.fetch(NEW_ORDERS, mark.time)
        left = await self._catalog.fetchval(STOCK)
        return NewOrders({row["status"]: row["count"] for row in rows}, mark.stock - left)

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
