"""How an order is cancelled: marked first, then its copies given back, so that no crash in between can lose or double them."""

from order_service.errors import OrderCancelling, OrderNotCancellable
from order_service.model import Order, OrderStatus
from order_service.processing import OrderProcessing
from order_service.repository import OrderRepository
from order_service.return_model import CancelRequest
from order_service.return_processing import ReturnProcessing
from order_service.returning import ROUNDS_MAX, OrderReturns
from service_runtime import failpoints
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted, ServiceError
from service_runtime.tasks import DurableTasks


class OrderCancellation:
    """Cancels orders in tasks of the service's own: a caller who goes away cuts no step short."""

    def __init__(
        self,
        *,
        tasks: DurableTasks,
        orders: OrderRepository,
        processing: OrderProcessing,
        returns: OrderReturns,
        return_processing: ReturnProcessing,
    ) -> None:
        self._tasks = tasks
        self._orders = orders
        self._processing = processing
        self._returns = returns
        self._return_processing = return_processing

    async def cancel(self, request: CancelRequest, deadline: Deadline) -> Order:
        """Answers the order as it is, cancelled, or with the copies back that were asked for.

        Raises OrderNotFound, a refusal, or OrderCancelling or OrderReturning if it is under way.
        """
        cancelling = self._cancel(request, deadline) if request.is_plain else self._returns.take_back(request, deadline)
        return await self._tasks.run(cancelling)

    async def _cancel(self, request: CancelRequest, deadline: Deadline) -> Order:
        for _ in range(ROUNDS_MAX):
            order, _ = await self._returns.look_up(request)
            # A return that is under way comes first: its copies go where it wants them.
            await self._return_processing.settle(order, deadline)
            cancelled = await self._mark_and_finish(request, deadline)
            if cancelled.status is not OrderStatus.CONFIRMED:
                return cancelled
        raise NotAccepted

    async def _mark_and_finish(self, request: CancelRequest, deadline: Deadline) -> Order:
        """Answers the order as it is after that: still CONFIRMED if a return was begun meanwhile."""
        figures = {"order_id": str(request.order_id)}
        try:
            marked = await self._orders.mark_cancelling(request.order_id, request.request_id)
            if marked.status is OrderStatus.REJECTED:
                raise OrderNotCancellable({**figures, "status": marked.status})
            await failpoints.reach("order.marked_cancelling")
            [outcome] = await self._processing.settle([marked], deadline)
            if isinstance(outcome, ServiceError):
                raise outcome
        except NotAccepted as error:
            raise OrderCancelling(figures) from error
        return outcome
