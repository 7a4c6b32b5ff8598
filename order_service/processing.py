"""Driving orders on: ask the catalog, write down its answers. Callers and recovery come this way alike."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from order_service.catalog_client import CatalogClient
from order_service.model import Order, OrderStatus, Refused, Released, Reserved
from order_service.repository import OrderRepository
from service_runtime import failpoints
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

log = structlog.get_logger(__name__)
Outcome = Order | ServiceError


class OrderProcessing:
    """Drives open orders to their end; asking again is always right, since the catalog decides an order's id once."""

    def __init__(self, *, orders: OrderRepository, catalog: CatalogClient) -> None:
        self._orders = orders
        self._catalog = catalog

    async def settle(self, orders: Sequence[Order], deadline: Deadline) -> list[Outcome]:
        """Answers each order as it is at its end, in their order, or the error that left it open: recovery goes on from there.

        Raises CatalogUnavailable or DatabaseUnavailable if all are left as they were.
        """
        outcomes: dict[UUID, Outcome] = {order.id: order for order in orders}
        pending = [order for order in orders if order.status is OrderStatus.PENDING]
        if pending:
            outcomes |= await self._decide(pending, deadline)
        for outcome in list(outcomes.values()):
            # Also those that a cancel, or a release, caught between the catalog's answer and its writing down.
            if isinstance(outcome, Order) and outcome.status is OrderStatus.CANCELLING:
                outcomes[outcome.id] = await self._finish_cancel(outcome, deadline)
        return [outcomes[order.id] for order in orders]

    async def _decide(self, orders: Sequence[Order], deadline: Deadline) -> dict[UUID, Outcome]:
        answers = await self._catalog.reserve_stock(orders, deadline)
        await failpoints.reach("order.stock_answered")
        outcomes: dict[UUID, Outcome] = {}
        decided: list[tuple[Order, Reserved | Refused]] = []
        for order, answer in zip(orders, answers, strict=True):
            match answer:
                case Reserved() | Refused():
                    decided.append((order, answer))
                case Released():
                    outcomes[order.id] = await self._mark_released(order)
                case ServiceError():
                    outcomes[order.id] = answer
        if decided:
            outcomes |= {order.id: order for order in await self._orders.decide(decided)}
        await failpoints.reach("order.decided")
        return outcomes

    async def _mark_released(self, order: Order) -> Order:
        # Only a cancel releases, and it marks the order first, so that there is nothing left to mark, as a rule.
        marked = await self._orders.mark_cancelling(order.id, None)
        if marked.work_id is not None:
            # The order's row was set back, by hand or from a backup.
            log.warning("released while pending", order_id=str(order.id))
        return marked

    async def _finish_cancel(self, order: Order, deadline: Deadline) -> Outcome:
        try:
            await self._catalog.release_stock(order, deadline)
            await failpoints.reach("order.stock_released")
            cancelled = await self._orders.finish_cancel(order)
        except ServiceError as error:
            return error
        await failpoints.reach("order.cancelled")
        return cancelled
