"""How orders are placed: from a caller's wish to the order at its end."""

from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from uuid import UUID

from order_service.customer_client import CustomerClient
from order_service.errors import OrderPending, RequestIdReused
from order_service.intake import OrderIntake
from order_service.metrics import OrderStats
from order_service.model import Customer, Order, OrderDraft, Placement
from order_service.processing import OrderProcessing, Outcome
from order_service.repository import OrderRepository
from service_runtime import failpoints
from service_runtime.database import DatabaseUnreachable
from service_runtime.deadline import Deadline
from service_runtime.distinct import commit_distinct
from service_runtime.errors import NotAccepted, ServiceError
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metrics import GroupStats

PlacementLane = GroupCommit[OrderDraft, Order]
_order_id: Callable[[OrderDraft], UUID] = attrgetter("order_id")
_fingerprint: Callable[[OrderDraft], bytes] = attrgetter("fingerprint")


class GroupPlacer:
    """Places a group of orders in four steps, each for the whole group: customers, insert, the catalog's decisions, their writing down.

    Orders of a disc that has run out are denied ahead of the insert, which then writes them down as they end.

    What begins here ends here, whoever has gone meanwhile; the time that it may take is the group's own.
    """

    def __init__(
        self,
        *,
        customers: CustomerClient,
        intake: OrderIntake,
        orders: OrderRepository,
        processing: OrderProcessing,
        timeout_s: float,
        stats: OrderStats | None = None,
    ) -> None:
        self._stats = stats
        self._customers = customers
        self._intake = intake
        self._orders = orders
        self._processing = processing
        self._timeout_s = timeout_s

    async def place(self, drafts: Sequence[OrderDraft]) -> list[Outcome]:
        """Answers each order at its end, in their order, or its error."""
        outcomes = await one_decision_each(drafts, self._place)
        if self._stats is not None:
            self._stats.placed(outcomes)
        return outcomes

    async def _place(self, drafts: Sequence[OrderDraft]) -> list[Outcome]:
        # The question begins after every call of the group came in, so that its answer is never older than a call.
        customers = await self._customers.get([draft.customer_id for draft in drafts])
        await failpoints.reach("order.customer_known")
        outcomes = await self._take_in(await self._placements(drafts, customers))
        for draft, customer in zip(drafts, customers, strict=True):
            if isinstance(customer, ServiceError):
                outcomes[draft.order_id] = await self._existing(draft, customer)
        return [outcomes[draft.order_id] for draft in drafts]

    async def _placements(
        self, drafts: Sequence[OrderDraft], customers: Sequence[Customer | ServiceError]
    ) -> list[Placement]:
        """The orders of customers who are known; those of discs that have run out are denied before anything is written for them."""
        known = [
            Placement(draft, customer)
            for draft, customer in zip(drafts, customers, strict=True)
            if isinstance(customer, Customer)
        ]
        buying = [placement.draft for placement in known if placement.customer.active]
        denied = await self._processing.deny_sold_out(buying, Deadline.after(self._timeout_s))
        if not denied:
            return known
        return [placement._replace(stock_left=denied.get(placement.draft.order_id)) for placement in known]

    async def _take_in(self, placements: Sequence[Placement]) -> dict[UUID, Outcome]:
        if not placements:
            return {}
        drafts = [placement.draft for placement in placements]
        try:
            orders = await self._intake.insert(placements)
        except DatabaseUnreachable as error:
            return dict.fromkeys(map(_order_id, drafts), error)
        except NotAccepted:
            return {draft.order_id: OrderPending({"order_id": str(draft.order_id)}) for draft in drafts}
        await failpoints.reach("order.taken_in")
        return await self._drive_on(drafts, orders)

    async def _existing(self, draft: OrderDraft, error: ServiceError) -> Outcome:
        """The order that exists wins, whatever has become of its customer since."""
        try:
            existing = await self._orders.find(draft.order_id)
        except ServiceError as unavailable:
            return unavailable
        if existing is None:
            return error
        return (await self._drive_on([draft], [existing]))[draft.order_id]

    async def _drive_on(self, drafts: Sequence[OrderDraft], orders: Sequence[Order]) -> dict[UUID, Outcome]:
        """Settles the orders that were taken in or found for drafts; one that stands for other lines answers RequestIdReused."""
        outcomes: dict[UUID, Outcome] = {}
        same = []
        for draft, order in zip(drafts, orders, strict=True):
            if order.fingerprint == draft.fingerprint:
                same.append(order)
            else:
                outcomes[order.id] = _reused(draft)
        try:
            settled: Sequence[Outcome] = await self._processing.settle(same, Deadline.after(self._timeout_s))
        except NotAccepted as error:
            settled = [error] * len(same)
        for order, outcome in zip(same, settled, strict=True):
            undecided = isinstance(outcome, NotAccepted)
            outcomes[order.id] = OrderPending({"order_id": str(order.id)}) if undecided else outcome
        return outcomes


async def one_decision_each(
    drafts: Sequence[OrderDraft], place: Callable[[Sequence[OrderDraft]], Awaitable[Sequence[Outcome]]]
) -> list[Outcome]:
    """Places the first draft of each order id; an equal one shares its outcome, another one meets the order that exists by then."""
    return await commit_distinct(drafts, identity=_order_id, content=_fingerprint, reused=_reused, commit=place)


def single_lane(placer: GroupPlacer, limits: GroupLimits, stats: GroupStats | None = None) -> PlacementLane:
    """Places the orders of single calls; groups under way at once have no disc in common."""
    return GroupCommit(commit=placer.place, keys=lambda draft: draft.lines.ids, limits=limits, stats=stats)


def bulk_lane(placer: GroupPlacer, limits: GroupLimits, stats: GroupStats | None = None) -> PlacementLane:
    """Places the orders of batches: full groups, which gain from being under way together even on one disc."""
    return GroupCommit(commit=placer.place, keys=lambda _: (), limits=limits, stats=stats)


def _reused(draft: OrderDraft) -> ServiceError:
    return RequestIdReused({"order_id": str(draft.order_id)})
