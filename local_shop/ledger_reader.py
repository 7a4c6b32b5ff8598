"""Reads orders and reservations side by side, straight from the databases' views for auditors."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

PREFETCH = 1_000
IDS_AT_ONCE_MAX = 1_000

# Net of what came back. While a return is under way, its order is not final.
ORDER_LINES = """
SELECT
    orders.order_id, orders.disc_id, orders.quantity - orders.returned AS quantity,
    CASE WHEN under_way.order_id IS NULL THEN orders.status ELSE 'RETURNING' END AS status
FROM audit.orders
LEFT JOIN (SELECT DISTINCT order_id FROM audit.order_returns WHERE state = 'PENDING') AS under_way USING (order_id)
"""
LEDGER_LINES = """
SELECT reservation_id AS order_id, disc_id, state, quantity - returned AS quantity FROM audit.reservations
"""
ORDERS = f"{ORDER_LINES} ORDER BY order_id, disc_id"
RESERVATIONS = f"{LEDGER_LINES} ORDER BY reservation_id, disc_id"
ORDERS_BY_ID = f"{ORDER_LINES} WHERE order_id = ANY ($1)"
RESERVATIONS_BY_ID = f"{LEDGER_LINES} WHERE disc_id = ANY ($1) AND reservation_id = ANY ($2)"


@dataclass
class Evidence:
    """All that the databases hold of one order: its status (None: no such order), and by disc what both say, net of returns."""

    order_id: UUID
    status: str | None = None
    ordered: dict[UUID, int] = field(default_factory=dict)
    held: dict[UUID, int] = field(default_factory=dict)
    states: dict[UUID, str] = field(default_factory=dict)

    @property
    def disc_ids(self) -> set[UUID]:
        """Discs that the order or the ledger names."""
        return {*self.ordered, *self.states}

    def add_order_line(self, row: asyncpg.Record) -> None:
        """Add a row of audit.orders."""
        self.status = row["status"]
        self.ordered[row["disc_id"]] = row["quantity"]

    def add_ledger_line(self, row: asyncpg.Record) -> None:
        """Add a row of audit.reservations."""
        self.states[row["disc_id"]] = row["state"]
        if row["state"] == "RESERVED":
            self.held[row["disc_id"]] = row["quantity"]


async def walk(catalog: asyncpg.Connection, orders: asyncpg.Connection) -> AsyncIterator[Evidence]:
    """Yield the evidence on every id there is, by id, in little memory. Each connection must be in a transaction."""
    placed = _Rows(orders, ORDERS)
    ledger = _Rows(catalog, RESERVATIONS)
    await placed.next()
    await ledger.next()
    while placed.row is not None or ledger.row is not None:
        evidence = Evidence(min(row["order_id"] for row in (placed.row, ledger.row) if row is not None))
        while placed.row is not None and placed.row["order_id"] == evidence.order_id:
            evidence.add_order_line(placed.row)
            await placed.next()
        while ledger.row is not None and ledger.row["order_id"] == evidence.order_id:
            evidence.add_ledger_line(ledger.row)
            await ledger.next()
        yield evidence


async def read_again(
    catalog: asyncpg.Connection, orders: asyncpg.Connection, doubtful: Sequence[Evidence]
) -> list[Evidence]:
    """Return the evidence on the same ids as it is now, each order read before its ledger."""
    found = {evidence.order_id: Evidence(evidence.order_id) for evidence in doubtful}
    for start in range(0, len(doubtful), IDS_AT_ONCE_MAX):
        some = doubtful[start : start + IDS_AT_ONCE_MAX]
        ids = [evidence.order_id for evidence in some]
        for row in await orders.fetch(ORDERS_BY_ID, ids):
            found[row["order_id"]].add_order_line(row)
        # The ledger is read through its key, which begins with the disc.
        discs = {disc_id for evidence in (*some, *(found[id_] for id_ in ids)) for disc_id in evidence.disc_ids}
        for row in await catalog.fetch(RESERVATIONS_BY_ID, list(discs), ids):
            found[row["order_id"]].add_ledger_line(row)
    return list(found.values())


class _Rows:
    """A cursor that shows its present row."""

    def __init__(self, connection: asyncpg.Connection, sql: str) -> None:
        self._rows = aiter(connection.cursor(sql, prefetch=PREFETCH))
        self.row: asyncpg.Record | None = None

    async def next(self) -> None:
        self.row = await anext(self._rows, None)
