"""Hybrid placement: decided if the catalog answers in time, else PENDING, and a catalog that is down or slow is not asked for a while."""

import time
from collections.abc import Sequence
from uuid import UUID

from order_service.errors import CatalogUnavailable
from order_service.model import Order, OrderDraft
from order_service.placement import PlacementLane
from order_service.processing import OrderProcessing, Outcome
from service_runtime.circuit_breaker import CircuitBreaker
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted, ServiceError
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metrics import GroupStats

SettlingLane = GroupCommit[Order, Order]


class GuardedSettling:
    """Has groups of orders decided, unless the catalog has lately been down, or has taken more than slow_s seconds."""

    def __init__(
        self, *, processing: OrderProcessing, breaker: CircuitBreaker, slow_s: float, timeout_s: float
    ) -> None:
        self._processing = processing
        self._breaker = breaker
        self._slow_s = slow_s
        self._timeout_s = timeout_s

    async def settle(self, orders: Sequence[Order]) -> list[Outcome]:
        """Answers each order at its end, in their order, or its error; all as they are while the breaker is open."""
        era = self._breaker.begin()
        if era is None:
            return list(orders)
        begun_s = time.monotonic()
        # Two callers may have asked for one order.
        distinct = {order.id: order for order in orders}
        try:
            settled: Sequence[Outcome] = await self._processing.settle(
                list(distinct.values()), Deadline.after(self._timeout_s)
            )
        except NotAccepted as error:
            settled = [error] * len(distinct)
        except BaseException:
            # Nothing is known of the catalog then, but a probe that never ended would keep all others from trying it.
            self._breaker.fail(era)
            raise
        is_late = time.monotonic() - begun_s > self._slow_s
        if is_late or any(isinstance(outcome, CatalogUnavailable) for outcome in settled):
            self._breaker.fail(era)
        else:
            self._breaker.succeed(era)
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


def settling_lane(guarded: GuardedSettling, limits: GroupLimits, stats: GroupStats | None = None) -> SettlingLane:
    """Has orders decided in groups; those under way at once have no disc in common."""
    return GroupCommit(commit=guarded.settle, keys=lambda order: order.disc_ids, limits=limits, stats=stats)
