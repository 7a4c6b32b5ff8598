"""Rules of the order service, taken away."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID, uuid4

from order_service import intake, model, order_queue, repository, returns
from order_service.cancellation import OrderCancellation
from order_service.journal import OpenWork
from order_service.model import Order, OrderDraft, OrderStatus, Refused, RejectionReason
from order_service.order_queue import QueuedGroup
from order_service.processing import OrderProcessing
from order_service.queue_worker import QueueWorker
from order_service.recovery import Recovery
from order_service.return_model import CancelRequest
from service_runtime import failpoints, quantities
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError
from tests.chaos.patches import cut_out, put

_cancel = OrderCancellation._cancel
_drive = Recovery._drive
_settle = QueueWorker._settle


def ids_are_invented() -> None:
    """Each attempt is an order of its own."""

    def fresh(customer_id: UUID, request_id: str) -> UUID:
        return uuid4()

    put(model, "order_id_for", fresh)


def status_is_overwritten() -> None:
    """A decision is written down whatever the order has become meanwhile."""
    cut_out(repository, "DECIDE", " AND orders.status = 'PENDING'", "")


def journal_is_not_written() -> None:
    """Orders are taken in without a row in the journal."""
    cut_out(intake, "INSERT", "HAVING count(*) > 0", "HAVING false")


def queue_is_closed_first() -> None:
    """A worker takes orders out of the queue before it has them decided."""

    async def settle(self: QueueWorker, partition: int, groups: Sequence[QueuedGroup], size: int) -> list[ServiceError]:
        await self._queue.close(partition, groups)
        return await _settle(self, partition, groups, size)

    cut_out(order_queue, "CLOSE", " AND orders.status = 'PENDING'", " AND false")
    put(QueueWorker, "_settle", settle)


def release_comes_first() -> None:
    """A cancel gives the copies back before it marks the order."""

    async def cancel(self: OrderCancellation, request: CancelRequest, deadline: Deadline) -> Order:
        order = await self._orders.find(request.order_id)
        if order is not None and order.status is OrderStatus.CONFIRMED:
            await self._processing._catalog.release_stock(order, deadline)
            await failpoints.reach("order.stock_released")
        return await _cancel(self, request, deadline)

    put(OrderCancellation, "_cancel", cancel)


def memory_refuses() -> None:
    """What was sold out is refused without asking the catalog."""

    async def deny(self: OrderProcessing, drafts: Sequence[OrderDraft], deadline: Deadline) -> dict[UUID, int]:
        return {draft.order_id: 0 for draft in drafts if self._sold_out.suspects(draft)}

    put(OrderProcessing, "deny_sold_out", deny)


def recovery_rejects() -> None:
    """Recovery gives up on what it finds, instead of asking the catalog."""

    async def drive(self: Recovery, work: OpenWork) -> None:
        try:
            orders = await self._orders.get(work.order_ids)
            pending = [order for order in orders if order.status is OrderStatus.PENDING]
            if pending:
                await self._orders.decide([(order, _refused(order)) for order in pending])
        except ServiceError:
            return
        await _drive(self, work)

    put(Recovery, "_drive", drive)


def payloads_are_not_compared() -> None:
    """Another payload under a used request_id is answered with the first one's order."""

    def same(self: quantities.Lines) -> bytes:
        return bytes(quantities.FINGERPRINT_LENGTH_BYTES)

    put(quantities.Lines, "fingerprint", same)


def returns_are_not_journaled() -> None:
    """A return is begun without a row in the journal."""
    cut_out(returns, "BEGIN", "$10::text FROM marked", "$10::text FROM marked WHERE false")


def returns_are_not_compared() -> None:
    """Another return under a used request_id is answered as if it were the first one."""
    put(CancelRequest, "fingerprint", bytes(quantities.FINGERPRINT_LENGTH_BYTES))


def cancel_overtakes_return() -> None:
    """A cancel of the whole does not wait for a return that is under way."""

    async def cancel(self: OrderCancellation, request: CancelRequest, deadline: Deadline) -> Order:
        return await self._mark_and_finish(request, deadline)

    cut_out(repository, "MARK_CANCELLING", " AND open_return_id IS NULL", "")
    put(OrderCancellation, "_cancel", cancel)


def _refused(order: Order) -> Refused:
    return Refused(RejectionReason.OUT_OF_STOCK, order.disc_ids, dict.fromkeys(order.disc_ids, 0))


MUTANTS: Mapping[str, Callable[[], None]] = {
    "ids_are_invented": ids_are_invented,
    "status_is_overwritten": status_is_overwritten,
    "journal_is_not_written": journal_is_not_written,
    "queue_is_closed_first": queue_is_closed_first,
    "release_comes_first": release_comes_first,
    "memory_refuses": memory_refuses,
    "recovery_rejects": recovery_rejects,
    "payloads_are_not_compared": payloads_are_not_compared,
    "returns_are_not_journaled": returns_are_not_journaled,
    "returns_are_not_compared": returns_are_not_compared,
    "cancel_overtakes_return": cancel_overtakes_return,
}
