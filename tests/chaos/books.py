"""What is on disk when all is quiet, read as a superuser past every service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.returned_books import (
    LedgerReturn,
    ReturnRow,
    WriteOff,
    read_ledger_returns,
    read_returns,
    read_write_offs,
)
from tests.chaos.stage import Stage
from tests.chaos.wishes import Lines

READ_TIMEOUT_S = 60.0
RESERVED, RELEASED = "RESERVED", "RELEASED"
OPEN_ORDERS = "SELECT count(*) FROM orders WHERE status IN ('PENDING', 'CANCELLING') OR open_return_id IS NOT NULL"
OPEN_WORK = "SELECT (SELECT count(*) FROM open_work) + (SELECT count(*) FROM order_queue)"
ORDERS = """
SELECT order_id, customer_id, request_id, status, disc_id, quantity, price_cents, returned
FROM audit.orders WHERE customer_id = ANY ($1::uuid[]) ORDER BY order_id, disc_id
"""
TOTALS = "SELECT id, total_cents FROM orders WHERE customer_id = ANY ($1::uuid[])"
RESERVATIONS = """
SELECT reservation_id, disc_id, state, quantity, returned
FROM audit.reservations WHERE disc_id = ANY ($1::uuid[]) ORDER BY reservation_id, disc_id
"""
STOCK = "SELECT disc_id, opening, moved, stock FROM audit.stock WHERE disc_id = ANY ($1::uuid[])"
MOVEMENTS = """
SELECT movement_id, disc_id, delta, state
FROM stock_movements WHERE disc_id = ANY ($1::uuid[]) AND NOT starts_with(movement_id, 'return/')
"""
REVISIONS = "SELECT id, revision FROM discs WHERE id = ANY ($1::uuid[])"
CHANGES = "SELECT disc_id, revision, stock FROM stock_changes WHERE disc_id = ANY ($1::uuid[])"


@dataclass(frozen=True)
class OrderRow:
    """An order as it stands; `returned` is what came back of each line while it was CONFIRMED."""

    customer_id: str
    request_id: str
    status: str
    lines: Lines
    total_cents: int = 0
    returned: Lines = ()


@dataclass(frozen=True)
class LedgerRow:
    """What the ledger says of one disc of one reservation, and what came back of it while it was held; a tombstone has quantity 0."""

    state: str
    quantity: int
    returned: int = 0

    @property
    def held(self) -> int:
        """Copies that it holds."""
        return self.quantity - self.returned if self.state == RESERVED else 0


@dataclass(frozen=True)
class StockRow:
    """A disc's copies: at the start, moved, on the shelf."""

    opening: int
    moved: int
    left: int


@dataclass(frozen=True)
class MovementRow:
    """One movement that somebody asked for."""

    disc_id: str
    delta: int
    state: str


@dataclass(frozen=True)
class Books:
    """Everything that counts: orders by id, the ledger by order and disc, stock by disc, movements by id; and what is open.

    Of each disc's moves, how many there were, and what was left after those that are kept. Returns by their ids, in either database, and
    what the ledger says of those that were written off, by id and disc.
    """

    orders: Mapping[str, OrderRow] = field(default_factory=dict)
    ledger: Mapping[str, Mapping[str, LedgerRow]] = field(default_factory=dict)
    stock: Mapping[str, StockRow] = field(default_factory=dict)
    movements: Mapping[str, MovementRow] = field(default_factory=dict)
    open_work: int = 0
    revisions: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    returns: Mapping[str, ReturnRow] = field(default_factory=dict)
    ledger_returns: Mapping[str, LedgerReturn] = field(default_factory=dict)
    write_offs: Mapping[tuple[str, str], WriteOff] = field(default_factory=dict)


async def open_count(stage: Stage) -> tuple[int, int]:
    """How many orders are not final, or have a return under way, and how many rows the journal and the queue have."""
    orders = await stage.orders.fetchval(OPEN_ORDERS, timeout=READ_TIMEOUT_S)
    return int(orders), int(await stage.orders.fetchval(OPEN_WORK, timeout=READ_TIMEOUT_S))


async def read_books(stage: Stage, discs: Sequence[str], customers: Sequence[str]) -> Books:
    """Reads both databases: what there is of these discs, and of these customers."""
    orders = await _read_orders(stage, customers)
    return Books(
        orders,
        await _read_ledger(stage, discs),
        {
            str(row["disc_id"]): StockRow(row["opening"], row["moved"], row["stock"])
            for row in await stage.catalog.fetch(STOCK, discs, timeout=READ_TIMEOUT_S)
        },
        {
            row["movement_id"]: MovementRow(str(row["disc_id"]), row["delta"], row["state"])
            for row in await stage.catalog.fetch(MOVEMENTS, discs, timeout=READ_TIMEOUT_S)
        },
        (await open_count(stage))[1],
        await newest_revisions(stage, discs),
        await _read_changes(stage, discs),
        await read_returns(stage, list(orders)),
        await read_ledger_returns(stage, discs),
        await read_write_offs(stage, discs),
    )


async def newest_revisions(stage: Stage, discs: Sequence[str]) -> dict[str, int]:
    """How often each disc's stock was moved."""
    rows = await stage.catalog.fetch(REVISIONS, discs, timeout=READ_TIMEOUT_S)
    return {str(row["id"]): row["revision"] for row in rows}


async def _read_changes(stage: Stage, discs: Sequence[str]) -> dict[str, dict[int, int]]:
    changes: dict[str, dict[int, int]] = {}
    for row in await stage.catalog.fetch(CHANGES, discs, timeout=READ_TIMEOUT_S):
        changes.setdefault(str(row["disc_id"]), {})[row["revision"]] = row["stock"]
    return changes


async def _read_orders(stage: Stage, customers: Sequence[str]) -> dict[str, OrderRow]:
    totals = {
        row["id"]: row["total_cents"] for row in await stage.orders.fetch(TOTALS, customers, timeout=READ_TIMEOUT_S)
    }
    orders: dict[str, OrderRow] = {}
    for row in await stage.orders.fetch(ORDERS, customers, timeout=READ_TIMEOUT_S):
        known = orders.get(str(row["order_id"]))
        disc = str(row["disc_id"])
        line, back = (disc, row["quantity"]), (disc, row["returned"])
        orders[str(row["order_id"])] = OrderRow(
            str(row["customer_id"]),
            row["request_id"],
            row["status"],
            (*known.lines, line) if known else (line,),
            totals[row["order_id"]],
            (*known.returned, back) if known else (back,),
        )
    return orders


async def _read_ledger(stage: Stage, discs: Sequence[str]) -> dict[str, dict[str, LedgerRow]]:
    ledger: dict[str, dict[str, LedgerRow]] = {}
    for row in await stage.catalog.fetch(RESERVATIONS, discs, timeout=READ_TIMEOUT_S):
        lines = ledger.setdefault(str(row["reservation_id"]), {})
        lines[str(row["disc_id"])] = LedgerRow(row["state"], row["quantity"], row["returned"])
    return ledger
