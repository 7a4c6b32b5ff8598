"""How orders are placed: from a caller's wish to its answer, which comes when the caller's mode says."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from order_service.admission import Admission, Placements, one_decision_each
from order_service.errors import OrderPending
from order_service.metrics import OrderStats
from order_service.model import Order, OrderDraft, OrderMode
from order_service.processing import OrderProcessing, Outcome
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted, Overloaded
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metrics import GroupStats

PlacementLane = GroupCommit[OrderDraft, Order]


class Lane(Protocol):
    """Where orders go to be placed."""

    async def submit(self, entry: OrderDraft, deadline: Deadline, /) -> Order:
        """Answers the order, or raises its error."""

    async def outcomes(self, entries: Sequence[OrderDraft], deadline: Deadline, /) -> list[Outcome]:
        """Answers each order or its error, in their order."""


class LanesByMode:
    """Sends each order to the lane of its mode. Modes are told apart here and nowhere else."""

    def __init__(self, lanes: Mapping[OrderMode, Lane], *, default: OrderMode) -> None:
        self._lanes = lanes
        self._default = default

    async def submit(self, draft: OrderDraft, deadline: Deadline) -> Order:
        """Answers the order as its mode says, or raises its error."""
        return await self._lanes[draft.mode or self._default].submit(draft, deadline)

    async def outcomes(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[Outcome]:
        """Answers each order as its own mode says, or its error, in their order; those of one mode go together."""
        by_mode: dict[OrderMode, list[OrderDraft]] = {}
        for draft in drafts:
            by_mode.setdefault(draft.mode or self._default, []).append(draft)
        if len(by_mode) == 1:
            [mode] = by_mode
            return await self._lanes[mode].outcomes(drafts, deadline)
        # At once: those of one mode must not use up the time of the others.
        placed = await asyncio.gather(
            *(self._lanes[mode].outcomes(entries, deadline) for mode, entries in by_mode.items())
        )
        answers: dict[UUID, Outcome] = {}
        for entries, outcomes in zip(by_mode.values(), placed, strict=True):
            answers |= zip([entry.order_id for entry in entries], outcomes, strict=True)
        return [answers[draft.order_id] for draft in drafts]


class GroupPlacer:
    """Places a group of orders in four steps, each for the whole group: customers, insert, the catalog's decisions, their writing down.

    Orders of a disc that has run out are denied ahead of the insert, which then writes them down as they end.

    What begins here ends here, whoever has gone meanwhile; the time that it may take is the group's own.
    """

    def __init__(
        self, *, admission: Admission, processing: OrderProcessing, timeout_s: float, stats: OrderStats | None = None
    ) -> None:
        self._stats = stats
        self._admission = admission
        self._processing = processing
        self._timeout_s = timeout_s

    async def place(self, drafts: Sequence[OrderDraft]) -> list[Outcome]:
        """Answers each order at its end, in their order, or its error; one that waits in the queue as it stands."""
        outcomes = await one_decision_each(drafts, self._place)
        if self._stats is not None:
            self._stats.placed(outcomes)
        return outcomes

    async def _place(self, drafts: Sequence[OrderDraft]) -> list[Outcome]:
        outcomes = await self._admission.take_in(drafts, self._deny_sold_out)
        taken_in = [order for order in outcomes.values() if isinstance(order, Order) and not order.is_queued]
        outcomes |= zip([order.id for order in taken_in], await self._settle(taken_in), strict=True)
        return [outcomes[draft.order_id] for draft in drafts]

    async def _deny_sold_out(self, placements: Placements) -> Placements:
        """Has the catalog deny those of discs that have run out before anything is written for them."""
        buying = [placement.draft for placement in placements if placement.customer.active]
        denied = await self._processing.deny_sold_out(buying, Deadline.after(self._timeout_s))
        if not denied:
            return placements
        return [placement._replace(stock_left=denied.get(placement.draft.order_id)) for placement in placements]

    async def _settle(self, orders: Sequence[Order]) -> list[Outcome]:
        """Answers each order at its end; who could not be settled is told that the order is there."""
        try:
            settled: Sequence[Outcome] = await self._processing.settle(orders, Deadline.after(self._timeout_s))
        except NotAccepted as error:
            settled = [error] * len(orders)
        return [
            OrderPending({"order_id": str(order.id)}) if isinstance(outcome, NotAccepted) else outcome
            for order, outcome in zip(orders, settled, strict=True)
        ]


class IntakePlacer:
    """Takes a group of orders in and leaves their decision to others: the queue's workers, whoever asked for them, or recovery."""

    def __init__(
        self,
        *,
        admission: Admission,
        is_full: Callable[[], bool],
        stats: OrderStats | None = None,
    ) -> None:
        self._stats = stats
        self._admission = admission
        self._is_full = is_full

    async def place(self, drafts: Sequence[OrderDraft]) -> list[Outcome]:
        """Answers each order as it stands once it is taken in, in their order, or its error; Overloaded if too many wait already."""
        if self._is_full():
            refused: list[Outcome] = [Overloaded()] * len(drafts)
            if self._stats is not None:
                self._stats.placed(refused)
            return refused
        outcomes = await one_decision_each(drafts, self._place)
        if self._stats is not None:
            self._stats.placed(outcomes)
        return outcomes

    async def _place(self, drafts: Sequence[OrderDraft]) -> list[Outcome]:
        outcomes = await self._admission.take_in(drafts)
        return [outcomes[draft.order_id] for draft in drafts]


def single_lane(
    placer: GroupPlacer | IntakePlacer, limits: GroupLimits, stats: GroupStats | None = None
) -> PlacementLane:
    """Places the orders of single calls; groups under way at once have no disc in common."""
    return GroupCommit(commit=placer.place, keys=lambda draft: draft.lines.ids, limits=limits, stats=stats)


def bulk_lane(
    placer: GroupPlacer | IntakePlacer, limits: GroupLimits, stats: GroupStats | None = None
) -> PlacementLane:
    """Places the orders of batches: full groups, which gain from being under way together even on one disc."""
    return GroupCommit(commit=placer.place, keys=lambda _: (), limits=limits, stats=stats)
