"""Driving orders on: ask the catalog, write down its answers. Callers and recovery come this way alike."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from order_service.catalog_client import Catalog
from order_service.errors import CatalogUnavailable
from order_service.model import Order, OrderDraft, OrderStatus, Refused, Released, Reserved, Reused
from order_service.repository import OrderRepository
from order_service.sold_out import SoldOutDiscs
from service_runtime import failpoints
from service_runtime.database import DatabaseUnavailable
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

log = structlog.get_logger(__name__)
Outcome = Order | ServiceError


class OrderProcessing:
    """Drives open orders to their end; asking again is always right, since the catalog decides an order's id once.

    What is learnt about discs that have run out goes into `sold_out`, which several may share.
    """

    def __init__(self, *, orders: OrderRepository, catalog: Catalog, sold_out: SoldOutDiscs) -> None:
        self._orders = orders
        self._catalog = catalog
        self._sold_out = sold_out

    async def deny_sold_out(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> dict[UUID, int]:
        """Has the catalog deny those of new orders that it can, and answers how many copies were left for each, by order id.

        Only orders of discs that have probably run out are asked about: for others the question would be one call more.
        """
        suspects = [draft for draft in drafts if self._sold_out.suspects(draft)]
        if not suspects:
            return {}
        try:
            # One that exists is answered as it stands: it may wait for its turn, or stand for other lines.
            existing = await self._orders.existing([draft.order_id for draft in suspects])
            suspects = [draft for draft in suspects if draft.order_id not in existing]
            stock_left = await self._catalog.deny_sold_out(suspects, deadline) if suspects else []
        except (CatalogUnavailable, DatabaseUnavailable):
            # Whatever it has decided, it answers again on the usual way.
            return {}
        await failpoints.reach("order.denied")
        return {draft.order_id: left for draft, left in zip(suspects, stock_left, strict=True) if left is not None}

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
            if not isinstance(answer, ServiceError):
                self._sold_out.learn(order.disc_ids, answer)
            match answer:
                case Reserved() | Refused():
                    decided.append((order, answer))
                case Released() | Reused():
                    outcomes[order.id] = await self._mark_barred(order, answer)
                case ServiceError():
                    outcomes[order.id] = answer
        if decided:
            outcomes |= {order.id: order for order in await self._orders.decide(decided)}
        await failpoints.reach("order.decided")
        return outcomes

    async def _mark_barred(self, order: Order, answer: Released | Reused) -> Order:
        """Ends an order whose id gets no copies any more."""
        # Only a cancel releases, and it marks the order first, so that there is nothing left to mark, as a rule.
        marked = await self._orders.mark_cancelling(order.id, None)
        if marked.work_id is not None:
            # The order's row was set back, by hand or from a backup; or its customer used the request_id twice, and the other lines, of a
            # disc that is sold out, were denied before these were decided.
            what = "released while pending" if isinstance(answer, Released) else "denied with other lines while pending"
            log.warning(what, order_id=str(order.id))
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
