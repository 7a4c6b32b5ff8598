"""Orders whose status is not any more what somebody saw."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from order_service.errors import OrderNotFound
from order_service.model import Order, OrderStatus
from order_service.rows import order_from_row
from service_runtime.database import Database
from service_runtime.errors import ServiceError

# OFFSET keeps the planner from joining the whole table: the key leads to each order.
CHANGED = """
SELECT now.*, NULL::uuid AS work_id, seen.id AS seen_id, seen.status AS seen_status, seen.owner
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS seen (id, status, owner)
LEFT JOIN LATERAL (
    SELECT * FROM orders WHERE id = seen.id AND customer_id = coalesce(seen.owner, customer_id) OFFSET 0
) AS now ON true
WHERE now.id IS NULL OR now.status IS DISTINCT FROM seen.status
"""

Found = Order | ServiceError


class SeenOrder(NamedTuple):
    """An order as somebody saw it last; status is None if they have not seen it yet. With an owner it must be theirs."""

    id: UUID
    status: OrderStatus | None
    owner: UUID | None


class OrderChanges:
    """Reads the orders that have changed."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def since(self, seen: Sequence[SeenOrder]) -> Mapping[SeenOrder, Found]:
        """Answers the orders that have another status than was seen, and OrderNotFound for unknown ones; leaves out the others."""
        rows = await self._database.fetch(CHANGED, *zip(*seen, strict=True))
        found: dict[SeenOrder, Found] = {}
        for row in rows:
            asked = SeenOrder(row["seen_id"], row["seen_status"] and OrderStatus(row["seen_status"]), row["owner"])
            unknown = OrderNotFound({"order_id": str(asked.id)})
            found[asked] = unknown if row["id"] is None else order_from_row(row)
        return found
