"""A lane in which nobody takes more than their share."""

from collections import Counter
from collections.abc import Sequence

from order_service.model import Order, OrderDraft
from order_service.placement import Lane
from order_service.processing import Outcome
from service_runtime.deadline import Deadline
from service_runtime.fair_creates import FairCreates


class FairLane:
    """Refuses what is too much ahead of another lane. An order counts as one, however it comes and whatever becomes of it."""

    def __init__(self, lane: Lane, *, shares: FairCreates) -> None:
        self._lane = lane
        self._shares = shares

    async def submit(self, draft: OrderDraft, deadline: Deadline) -> Order:
        """Answers as the lane does; raises RateLimited, with nothing done, if a share is used up."""
        self._shares.charge_one(draft.customer_id)
        return await self._lane.submit(draft, deadline)

    async def outcomes(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[Outcome]:
        """Answers as the lane does, and RateLimited for each order of a customer whose share is used up.

        Raises RateLimited, with nothing done, if it is the caller's share.
        """
        refused = self._shares.charge(Counter(draft.customer_id for draft in drafts))
        if not refused:
            return await self._lane.outcomes(drafts, deadline)
        passed = [draft for draft in drafts if draft.customer_id not in refused]
        outcomes = iter(await self._lane.outcomes(passed, deadline) if passed else [])
        return [refused.get(draft.customer_id) or next(outcomes) for draft in drafts]


def fair(lane: Lane, shares: FairCreates | None) -> Lane:
    """The lane with shares; the lane itself where nobody counts them."""
    return lane if shares is None else FairLane(lane, shares=shares)
