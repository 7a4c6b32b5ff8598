"""Watches of orders: as they are, and whenever that changes, until they are final."""

from collections.abc import AsyncIterator
from uuid import UUID

from order_service.changes import Found, SeenOrder
from order_service.model import Order
from service_runtime.errors import ServiceError
from service_runtime.watching import WatchHub


class OrderWatching:
    """Follows orders for those who watch them."""

    def __init__(self, *, hub: WatchHub[SeenOrder, Found]) -> None:
        self._hub = hub

    async def watch(self, order_id: UUID, owner: UUID | None) -> AsyncIterator[Order]:
        """Answers an order as it is now, then after each change of its status, until it is not open any more.

        With an owner it must be theirs. Raises OrderNotFound, Overloaded, WatchEnded or DatabaseUnavailable.
        """
        seen = SeenOrder(order_id, None, owner)
        with self._hub.watching([order_id]):
            while seen.status is None or seen.status.is_open:
                [found] = (await self._hub.news([seen], at_once=seen.status is None)).values()
                if isinstance(found, ServiceError):
                    raise found
                seen = SeenOrder(order_id, found.status, owner)
                yield found
