"""What is on disk, read as a superuser straight from both databases, past every service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from tests.faults.waiting import eventually

STOCK = "SELECT opening + moved AS came, stock FROM audit.stock WHERE disc_id = $1"
RESERVATIONS = (
    "SELECT reservation_id, state, quantity - returned AS quantity FROM audit.reservations WHERE disc_id = $1"
)
ORDERS = "SELECT order_id, customer_id, request_id, status, quantity - returned AS quantity FROM audit.orders WHERE disc_id = $1"
STATUS = "SELECT DISTINCT status FROM audit.orders WHERE order_id = $1"
STATE = "SELECT DISTINCT state FROM audit.reservations WHERE reservation_id = $1"
RETURNED_OF_ORDER = "SELECT coalesce(sum(returned), 0)::integer FROM audit.orders WHERE order_id = $1"
RETURNED_OF_LEDGER = "SELECT coalesce(sum(returned), 0)::integer FROM audit.reservations WHERE reservation_id = $1"
WORK_OF_ORDER = "SELECT id, attempts, next_attempt_time FROM open_work WHERE $1 = ANY (order_ids) ORDER BY create_time"

OPEN = "SELECT (SELECT count(*) FROM open_work) + (SELECT count(*) FROM order_queue)"
QUEUED = "SELECT partition, position FROM order_queue WHERE $1 = ANY (order_ids)"
LEASES = """
SELECT worker_id, array_agg(partition ORDER BY partition) AS partitions FROM queue_leases
WHERE lease_end_time > now() GROUP BY worker_id
"""

# Pools, because a test may end their connections along with the services'. The class is generic for type checkers only.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass(frozen=True)
class OnDisk:
    """One order as both databases have it: its status, its reservation's state, its rows in the journal, and what came back of it."""

    order: str | None
    ledger: str | None
    journal: int
    # Copies that came back, as the order and as the ledger count them.
    returned: tuple[int, int] = (0, 0)


class Books:
    """Reads the catalog's and the order service's databases."""

    def __init__(self, *, catalog: Pool, orders: Pool) -> None:
        self.catalog = catalog
        self.orders = orders

    async def on_disk(self, order_id: UUID | str) -> OnDisk:
        """Reads what is known of an order."""
        return OnDisk(
            order=await self.orders.fetchval(STATUS, UUID(str(order_id))),
            ledger=await self.catalog.fetchval(STATE, UUID(str(order_id))),
            journal=len(await self.work(order_id)),
            returned=(
                await self.orders.fetchval(RETURNED_OF_ORDER, UUID(str(order_id))),
                await self.catalog.fetchval(RETURNED_OF_LEDGER, UUID(str(order_id))),
            ),
        )

    async def work(self, order_id: UUID | str) -> list[Any]:
        """Reads an order's rows in the journal."""
        return list(await self.orders.fetch(WORK_OF_ORDER, UUID(str(order_id))))

    async def all_claimed(self, order_ids: Sequence[str]) -> bool:
        """Tells whether recovery has laid its hands on each row of these orders."""
        works = [await self.work(order_id) for order_id in order_ids]
        return all(row["attempts"] > 0 for rows in works for row in rows)

    async def make_due(self) -> None:
        """Lets recovery have all open work at once."""
        await self.orders.execute("UPDATE open_work SET next_attempt_time = now()")

    async def open_work(self) -> int:
        """Counts the rows in the journal and in the queue."""
        return int(await self.orders.fetchval(OPEN))

    async def queued(self, order_id: str) -> tuple[int, int] | None:
        """Answers the partition and the position that an order waits at."""
        row = await self.orders.fetchrow(QUEUED, UUID(order_id))
        return None if row is None else (row["partition"], row["position"])

    async def leases(self) -> dict[UUID, list[int]]:
        """Answers the partitions that each worker holds."""
        return {row["worker_id"]: row["partitions"] for row in await self.orders.fetch(LEASES)}

    async def nothing_open(self) -> None:
        """Waits until the journal and the queue are empty: whatever was begun has ended."""
        await eventually(self.open_work, lambda count: count == 0)

    async def stock(self, disc_id: str) -> int:
        """Reads the copies on the shelf."""
        return int(await self.catalog.fetchval("SELECT stock FROM audit.stock WHERE disc_id = $1", UUID(disc_id)))

    async def agree(self, *disc_ids: str) -> None:
        """Holds orders, ledger and stock of quiet discs against each other, order by order."""
        for disc_id in disc_ids:
            stock = await self.catalog.fetchrow(STOCK, UUID(disc_id))
            ledger = await self.catalog.fetch(RESERVATIONS, UUID(disc_id))
            orders = await self.orders.fetch(ORDERS, UUID(disc_id))
            _agree(stock, ledger, orders)


def _agree(stock: Any, ledger: Sequence[Any], orders: Sequence[Any]) -> None:
    held = {row["reservation_id"]: row["quantity"] for row in ledger if row["state"] == "RESERVED"}
    sold = {row["order_id"]: row["quantity"] for row in orders if row["status"] == "CONFIRMED"}
    cancelled = {row["order_id"] for row in orders if row["status"] == "CANCELLED"}
    decided = {row["reservation_id"] for row in ledger}
    assert held == sold
    assert stock["came"] == stock["stock"] + sum(held.values())
    assert stock["stock"] >= 0
    assert cancelled <= decided, "a cancelled order without a tombstone"
    assert {row["status"] for row in orders} <= {"CONFIRMED", "REJECTED", "CANCELLED"}
    assert len({(row["customer_id"], row["request_id"]) for row in orders}) == len(orders)
