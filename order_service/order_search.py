"""Walks over the orders, newest first, a page at a time along their indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from order_service.model import Order, OrderStatus
from order_service.rows import order_from_row
from service_runtime.database import Database

# No index names the status, or every decision would write all indexes again: a filter on it reads on, this many pages' worth at most.
PAGES_READ_MAX = 10

NEWEST = """
SELECT *, NULL::uuid AS work_id FROM orders
WHERE (create_time, id) < ($1, $2) AND create_time >= $3
ORDER BY create_time DESC, id DESC
LIMIT $4
"""

NEWEST_OF_CUSTOMER = """
SELECT *, NULL::uuid AS work_id FROM orders
WHERE customer_id = $5 AND (create_time, id) < ($1, $2) AND create_time >= $3
ORDER BY create_time DESC, id DESC
LIMIT $4
"""


@dataclass(frozen=True)
class OrderPage:
    """Which orders to read: created from a time on, and before (a time, an id), limit of them at most. With an owner, theirs alone."""

    customer_id: UUID | None
    status: OrderStatus | None
    created_from: datetime
    before: tuple[datetime, UUID]
    limit: int
    owner: UUID | None


@dataclass(frozen=True)
class OrdersRead:
    """The orders of a page, and the key of the last one that was read if there may be more."""

    orders: Sequence[Order]
    last_key: tuple[datetime, UUID] | None


class OrderSearch:
    """Lists orders."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(self, page: OrderPage) -> OrdersRead:
        """Reads a page; with a status filter it may be short and still not be the last."""
        # Without a filter, one more tells that the page is not the last.
        read_max = page.limit + 1 if page.status is None else page.limit * PAGES_READ_MAX
        created_before, id_before = page.before
        customer_id = page.owner or page.customer_id
        if page.customer_id not in {None, customer_id}:
            return OrdersRead([], None)
        if customer_id is None:
            rows = await self._database.fetch(NEWEST, created_before, id_before, page.created_from, read_max)
        else:
            rows = await self._database.fetch(
                NEWEST_OF_CUSTOMER, created_before, id_before, page.created_from, read_max, customer_id
            )
        matching = [row for row in rows if page.status in {None, row["status"]}]
        orders = [order_from_row(row) for row in matching[: page.limit]]
        if len(matching) > page.limit:
            last = matching[page.limit - 1]
        elif len(rows) == read_max:
            last = rows[-1]
        else:
            return OrdersRead(orders, None)
        return OrdersRead(orders, (last["create_time"], last["id"]))
