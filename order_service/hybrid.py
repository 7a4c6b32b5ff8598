"""Hybrid placement: decided if the catalog answers in time, else PENDING."""

from collections.abc import Sequence
from uuid import UUID

from order_service.model import Order, OrderDraft
from order_service.placement import PlacementLane
from order_service.processing import OrderProcessing, Outcome
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metrics import GroupStats

SettlingLane = GroupCommit[Order, Order]


class Settling:
    """Has groups of orders decided."""

    def __init__(self, *, processing: OrderProcessing, timeout_s: float) -> None:
        self._processing = processing
        self._timeout_s = timeout_s

    async def settle(self, orders: Sequence[Order]) -> list[Outcome]:
        """Answers each order at its end, in their order, or its error; raises CatalogUnavailable or DatabaseUnavailable for all."""
        # Two callers may have asked for one order.
        distinct = {order.id: order for order in orders}
        settled = await self._processing.settle(list(distinct.values()), Deadline.after(self._timeout_s))
        outcomes: dict[UUID, Outcome] = dict(zip(distinct, settled, strict=True))
        return [outcomes[order.id] for order in orders]


class HybridLane:
    """Takes orders in, and answers each as it is when its decision is there, or when the time for it is over.

    That time is budget_max_s, or less if the caller's deadline is sooner: margin_s before it.
    """

    def __init__(
        self, *, taking_in: PlacementLane, settling: SettlingLane, budget_max_s: float, margin_s: float
    ) -> None:
        self._taking_in = taking_in
        self._settling = settling
        self._budget_max_s = budget_max_s
        self._margin_s = margin_s

    async def submit(self, draft: OrderDraft, deadline: Deadline) -> Order:
        """Answers the order, decided or PENDING, or raises its error."""
        [outcome] = await self.outcomes([draft], deadline)
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    async def outcomes(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[Outcome]:
        """Answers each order, decided or PENDING, or its error, in their order."""
        outcomes = await self._taking_in.outcomes(drafts, deadline)
        undecided = [
            order for order in outcomes if isinstance(order, Order) and order.status.is_open and not order.is_queued
        ]
        budget = Deadline.after(min(self._budget_max_s, max(0.0, deadline.remaining_s() - self._margin_s)))
        settled = await self._settle_within(budget, undecided)
        return [settled.get(outcome.id, outcome) if isinstance(outcome, Order) else outcome for outcome in outcomes]

    async def _settle_within(self, budget: Deadline, orders: Sequence[Order]) -> dict[UUID, Order]:
        """Answers those of the orders, by their ids, that were settled in time. The others go on without the caller."""
        if not orders:
            return {}
        settled = await self._settling.outcomes_by(orders, budget)
        return {order.id: order for order in settled if isinstance(order, Order)}


def settling_lane(settling: Settling, limits: GroupLimits, stats: GroupStats | None = None) -> SettlingLane:
    """Has orders decided in groups; those under way at once have no disc in common."""
    return GroupCommit(commit=settling.settle, keys=lambda order: order.disc_ids, limits=limits, stats=stats)
