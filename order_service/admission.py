"""How a group of orders is taken in: each customer is asked for, and each order written down once, whoever asks and in whatever mode."""

from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from uuid import UUID

from order_service.customer_client import CustomerClient
from order_service.errors import OrderPending, RequestIdReused
from order_service.model import Customer, Order, OrderDraft, Placement
from order_service.processing import Outcome
from order_service.repository import OrderRepository
from service_runtime import failpoints
from service_runtime.database import DatabaseUnreachable
from service_runtime.distinct import commit_distinct
from service_runtime.errors import NotAccepted, ServiceError

Placements = Sequence[Placement]
_order_id: Callable[[OrderDraft], UUID] = attrgetter("order_id")
_fingerprint: Callable[[OrderDraft], bytes] = attrgetter("fingerprint")


class Admission:
    """Takes orders in by `insert`, which answers each as it stands then.

    `prepare` may change what is written for the orders of known customers.
    """

    def __init__(
        self,
        *,
        customers: CustomerClient,
        orders: OrderRepository,
        insert: Callable[[Placements], Awaitable[Sequence[Order]]],
    ) -> None:
        self._customers = customers
        self._orders = orders
        self._insert = insert

    async def take_in(
        self, drafts: Sequence[OrderDraft], prepare: Callable[[Placements], Awaitable[Placements]] | None = None
    ) -> dict[UUID, Outcome]:
        """Answers each order, by its id, as it stands when it is taken in or found, or its error. The drafts' ids differ."""
        # The question begins after every call of the group came in, so that its answer is never older than a call.
        customers = await self._customers.get([draft.customer_id for draft in drafts])
        await failpoints.reach("order.customer_known")
        placements: Placements = [
            Placement(draft, customer)
            for draft, customer in zip(drafts, customers, strict=True)
            if isinstance(customer, Customer)
        ]
        if prepare is not None:
            placements = await prepare(placements)
        outcomes = await self._write_down(placements)
        for draft, customer in zip(drafts, customers, strict=True):
            if isinstance(customer, ServiceError):
                outcomes[draft.order_id] = await self._existing(draft, customer)
        return outcomes

    async def _write_down(self, placements: Placements) -> dict[UUID, Outcome]:
        if not placements:
            return {}
        drafts = [placement.draft for placement in placements]
        try:
            orders = await self._insert(placements)
        except DatabaseUnreachable as error:
            return dict.fromkeys(map(_order_id, drafts), error)
        except NotAccepted:
            return {draft.order_id: OrderPending({"order_id": str(draft.order_id)}) for draft in drafts}
        await failpoints.reach("order.taken_in")
        return {draft.order_id: _same(draft, order) for draft, order in zip(drafts, orders, strict=True)}

    async def _existing(self, draft: OrderDraft, error: ServiceError) -> Outcome:
        """The order that exists wins, whatever has become of its customer since."""
        try:
            existing = await self._orders.find(draft.order_id)
        except ServiceError as unavailable:
            return unavailable
        return error if existing is None else _same(draft, existing)


def _same(draft: OrderDraft, order: Order) -> Outcome:
    """The order, if it stands for the draft's lines."""
    return order if order.fingerprint == draft.fingerprint else reused(draft)


def reused(draft: OrderDraft) -> ServiceError:
    """The error of a draft whose id stands for other lines."""
    return RequestIdReused({"order_id": str(draft.order_id)})


async def one_decision_each(
    drafts: Sequence[OrderDraft], place: Callable[[Sequence[OrderDraft]], Awaitable[Sequence[Outcome]]]
) -> list[Outcome]:
    """Places the first draft of each order id; an equal one shares its outcome, another one meets the order that exists by then."""
    return await commit_distinct(drafts, identity=_order_id, content=_fingerprint, reused=reused, commit=place)
