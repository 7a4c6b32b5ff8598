"""How an order is cancelled: marked first, then its copies given back, so that no crash in between can lose or double them."""

from uuid import UUID

from order_service.errors import OrderCancelling, OrderNotCancellable, OrderNotFound
from order_service.model import Order, OrderStatus
from order_service.processing import OrderProcessing
from order_service.repository import OrderRepository
from service_runtime import failpoints
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted, ServiceError
from service_runtime.tasks import DurableTasks


class OrderCancellation:
    """Cancels orders in tasks of the service's own: a caller who goes away cuts no step short."""

    def __init__(self, *, tasks: DurableTasks, orders: OrderRepository, processing: OrderProcessing) -> None:
        self._tasks = tasks
        self._orders = orders
        self._processing = processing

    async def cancel(self, order_id: UUID, cancel_request_id: str, deadline: Deadline) -> Order:
        """Answers the order as it is, cancelled. Raises OrderNotFound, OrderNotCancellable, or OrderCancelling if it is under way."""
        return await self._tasks.run(self._cancel(order_id, cancel_request_id, deadline))

    async def _cancel(self, order_id: UUID, cancel_request_id: str, deadline: Deadline) -> Order:
        if await self._orders.find(order_id) is None:
            raise OrderNotFound({"order_id": str(order_id)})
        try:
            marked = await self._orders.mark_cancelling(order_id, cancel_request_id)
            if marked.status is OrderStatus.REJECTED:
                raise OrderNotCancellable({"order_id": str(order_id)})
            await failpoints.reach("order.marked_cancelling")
            [outcome] = await self._processing.settle([marked], deadline)
            if isinstance(outcome, ServiceError):
                raise outcome
        except NotAccepted as error:
            raise OrderCancelling({"order_id": str(order_id)}) from error
        return outcome
