"""Driving returns on: ask the catalog, write down its answer. Callers and recovery come this way alike."""

import structlog

from order_service.model import Order, OrderStatus
from order_service.processing import OrderProcessing
from order_service.return_client import ReturnClient
from order_service.returns import ReturnRepository
from service_runtime import failpoints
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

log = structlog.get_logger(__name__)


class ReturnProcessing:
    """Drives an order's return to its end; asking again is always right, since the catalog decides a return's id once."""

    def __init__(self, *, returns: ReturnRepository, stock: ReturnClient, processing: OrderProcessing) -> None:
        self._returns = returns
        self._stock = stock
        self._processing = processing

    async def settle(self, order: Order, deadline: Deadline) -> None:
        """Ends the return that the order had when it was read and, if nothing is left, the order too.

        Raises the ServiceError that left either open.
        """
        if order.open_return_id is None:
            return
        returning = await self._returns.get(order.open_return_id)
        applied = await self._stock.return_stock(returning, deadline)
        await failpoints.reach("order.stock_returned")
        if not applied:
            # The order held the copies when the return was recorded: one of the two databases was set back, or changed by hand.
            log.warning("return refused", order_id=str(order.id), return_id=str(returning.id))
        ended = await self._returns.end(returning, order, applied=applied)
        await failpoints.reach("order.returned")
        if ended is not None:
            await self.finish(ended, deadline)

    async def finish(self, order: Order, deadline: Deadline) -> Order:
        """Ends the cancel of an order of which nothing is left; answers any other as it is."""
        if order.status is not OrderStatus.CANCELLING:
            return order
        [outcome] = await self._processing.settle([order], deadline)
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome
