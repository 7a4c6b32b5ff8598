"""Driving an order on: ask the catalog, write down its answer. Callers and recovery come this way alike."""

import structlog

from order_service.catalog_client import CatalogClient
from order_service.model import Order, OrderStatus, Refused, Released, Reserved
from order_service.repository import OrderRepository
from service_runtime import failpoints
from service_runtime.deadline import Deadline

log = structlog.get_logger(__name__)


class OrderProcessing:
    """Drives open orders to their end; asking again is always right, since the catalog decides an order's id once."""

    def __init__(self, *, orders: OrderRepository, catalog: CatalogClient) -> None:
        self._orders = orders
        self._catalog = catalog

    async def settle(self, order: Order, deadline: Deadline) -> Order:
        """Answers the order as it is at its end. Raises CatalogUnavailable or DatabaseUnavailable, and recovery goes on from there."""
        match order.status:
            case OrderStatus.PENDING:
                return await self._decide(order, deadline)
            case OrderStatus.CANCELLING:
                return await self._finish_cancel(order, deadline)
            case _:
                return order

    async def _decide(self, order: Order, deadline: Deadline) -> Order:
        answer = await self._catalog.reserve_stock(order, deadline)
        await failpoints.reach("order.stock_answered")
        match answer:
            case Reserved():
                decided = await self._orders.confirm(order, answer)
            case Refused():
                decided = await self._orders.reject(order, answer)
            case Released():
                # Only a cancel releases, and it marks the order first, so that there is nothing left to mark, as a rule.
                decided = await self._orders.mark_cancelling(order.id, None)
                if decided.work_id is not None:
                    # The order's row was set back, by hand or from a backup.
                    log.warning("released while pending", order_id=str(order.id))
        await failpoints.reach("order.decided")
        # A cancel that came in between left the order CANCELLING, and it may have died since.
        return decided if decided.status is not OrderStatus.CANCELLING else await self._finish_cancel(decided, deadline)

    async def _finish_cancel(self, order: Order, deadline: Deadline) -> Order:
        await self._catalog.release_stock(order, deadline)
        await failpoints.reach("order.stock_released")
        cancelled = await self._orders.finish_cancel(order)
        await failpoints.reach("order.cancelled")
        return cancelled
