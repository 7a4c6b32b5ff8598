"""How an order is placed, and how it is cancelled: from a caller's wish to the order at its end."""

from uuid import UUID

from order_service.customer_client import CustomerClient
from order_service.errors import (
    CustomerNotFound,
    CustomersUnavailable,
    OrderCancelling,
    OrderNotCancellable,
    OrderNotFound,
    OrderPending,
    RequestIdReused,
)
from order_service.model import Order, OrderDraft, OrderStatus
from order_service.processing import OrderProcessing
from order_service.repository import OrderRepository
from service_runtime import failpoints
from service_runtime.database import DatabaseUnreachable
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted
from service_runtime.tasks import DurableTasks


class OrderPlacement:
    """Places and cancels orders in tasks of the service's own: a caller who goes away cuts no step short."""

    def __init__(
        self, *, tasks: DurableTasks, customers: CustomerClient, orders: OrderRepository, processing: OrderProcessing
    ) -> None:
        self._tasks = tasks
        self._customers = customers
        self._orders = orders
        self._processing = processing

    async def place(self, draft: OrderDraft, deadline: Deadline) -> Order:
        """Answers the order at its end, a rejected one too.

        Raises CustomerNotFound and NotAccepted, when nothing was taken in; RequestIdReused; OrderPending, when it may have been.
        """
        return await self._tasks.run(self._place(draft, deadline))

    async def _place(self, draft: OrderDraft, deadline: Deadline) -> Order:
        order = await self._take_in(draft, deadline)
        await failpoints.reach("order.taken_in")
        if order.fingerprint != draft.fingerprint:
            raise RequestIdReused({"order_id": str(order.id)})
        try:
            return await self._processing.settle(order, deadline)
        except NotAccepted as error:
            raise OrderPending({"order_id": str(order.id)}) from error

    async def _take_in(self, draft: OrderDraft, deadline: Deadline) -> Order:
        try:
            customer = await self._customers.get(draft.customer_id, deadline)
        except (CustomerNotFound, CustomersUnavailable):
            # The order that exists wins, whatever has become of its customer since.
            existing = await self._orders.find(draft.order_id)
            if existing is None:
                raise
            return existing
        await failpoints.reach("order.customer_known")
        if deadline.passed():
            raise NotAccepted
        try:
            return await self._orders.insert(draft, customer)
        except DatabaseUnreachable:
            raise
        except NotAccepted as error:
            raise OrderPending({"order_id": str(draft.order_id)}) from error

    async def cancel(self, order_id: UUID, cancel_request_id: str, deadline: Deadline) -> Order:
        """Answers the order as it is, cancelled. Raises OrderNotFound, OrderNotCancellable, or OrderCancelling if it is under way."""
        return await self._tasks.run(self._cancel(order_id, cancel_request_id, deadline))

    async def _cancel(self, order_id: UUID, cancel_request_id: str, deadline: Deadline) -> Order:
        if await self._orders.find(order_id) is None:
            raise OrderNotFound({"order_id": str(order_id)})
        try:
            order = await self._orders.mark_cancelling(order_id, cancel_request_id)
            if order.status is OrderStatus.REJECTED:
                raise OrderNotCancellable({"order_id": str(order_id)})
            await failpoints.reach("order.marked_cancelling")
            return await self._processing.settle(order, deadline)
        except NotAccepted as error:
            raise OrderCancelling({"order_id": str(order_id)}) from error
