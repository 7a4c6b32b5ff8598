"""All orders line by line, in the order of the stock ledger."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from order_service.model import OrderStatus
from service_runtime.database import Database

FETCH_SIZE = 1_000
# Sorting every order there is may take longer than a sale is allowed to, and the catalog's pages are read in between.
WALK_TIMEOUT_S = 120

LINES = """
SELECT
    line.disc_id, orders.id, orders.status, line.quantity, line.price_cents, coalesce(line.returned, 0) AS returned,
    orders.open_return_id IS NOT NULL AS is_returning
FROM orders
CROSS JOIN LATERAL unnest(orders.disc_ids, orders.quantities, orders.prices_cents, orders.returned)
    AS line (disc_id, quantity, price_cents, returned)
WHERE cardinality($1::uuid[]) = 0 OR line.disc_id = ANY ($1::uuid[])
ORDER BY line.disc_id, orders.id
"""

LINES_OF_ORDERS = """
SELECT
    line.disc_id, orders.id, orders.status, line.quantity, line.price_cents, coalesce(line.returned, 0) AS returned,
    orders.open_return_id IS NOT NULL AS is_returning
FROM orders
CROSS JOIN LATERAL unnest(orders.disc_ids, orders.quantities, orders.prices_cents, orders.returned)
    AS line (disc_id, quantity, price_cents, returned)
WHERE orders.id = ANY ($2::uuid[]) AND line.disc_id = $1
"""


@dataclass(frozen=True)
class PlacedLine:
    """One line of one order; price_cents is None before the order is confirmed."""

    disc_id: UUID
    order_id: UUID
    status: OrderStatus
    quantity: int
    price_cents: int | None
    returned: int = 0
    is_returning: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the ledger may be ahead of the order."""
        return self.status.is_open or self.is_returning


class OrderLines:
    """Reads orders for the audit."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def walk(self, disc_ids: Sequence[UUID]) -> AsyncIterator[AsyncIterator[PlacedLine]]:
        """Walks over the lines of these discs or, if none is named, of all, by disc id and order id, as of one moment."""
        async with self._database.transaction(readonly=True) as connection:
            for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
                await connection.execute(f"SET LOCAL {setting} = '{WALK_TIMEOUT_S}s'")
            # The one statement that reads all there is.
            await connection.execute("SET LOCAL enable_seqscan = on")
            yield self._lines(connection.cursor(LINES, disc_ids, prefetch=FETCH_SIZE, timeout=WALK_TIMEOUT_S))

    async def _lines(self, rows: AsyncIterable[asyncpg.Record]) -> AsyncIterator[PlacedLine]:
        async for row in rows:
            yield _placed_line(row)

    async def now(self, disc_id: UUID, order_ids: Sequence[UUID]) -> dict[UUID, PlacedLine]:
        """Reads a disc's lines of some orders as they are now."""
        lines: dict[UUID, PlacedLine] = {}
        for start in range(0, len(order_ids), FETCH_SIZE):
            rows = await self._database.fetch(LINES_OF_ORDERS, disc_id, order_ids[start : start + FETCH_SIZE])
            lines |= {row["id"]: _placed_line(row) for row in rows}
        return lines


def _placed_line(row: asyncpg.Record) -> PlacedLine:
    return PlacedLine(
        disc_id=row["disc_id"],
        order_id=row["id"],
        status=OrderStatus(row["status"]),
        quantity=row["quantity"],
        price_cents=row["price_cents"],
        returned=row["returned"],
        is_returning=row["is_returning"],
    )
