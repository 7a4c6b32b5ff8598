"""Many orders in one call, each on its own."""

from collections.abc import Sequence

from order_service.admission import one_decision_each
from order_service.model import OrderDraft
from order_service.placement import Lane
from order_service.processing import Outcome
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError


class BatchPlacement:
    """Places the orders of batches in a lane of their own."""

    def __init__(self, *, lane: Lane) -> None:
        self._lane = lane

    async def place_all(self, entries: Sequence[OrderDraft | ServiceError], deadline: Deadline) -> list[Outcome]:
        """Answers an outcome for each entry, in their order; an entry that could not be read answers its own error.

        Where one customer's request_id stands twice, the first decides: an equal draft shares its outcome, another is RequestIdReused.
        """

        async def place(drafts: Sequence[OrderDraft]) -> list[Outcome]:
            return await self._lane.outcomes(drafts, deadline)

        drafts = [entry for entry in entries if isinstance(entry, OrderDraft)]
        outcomes = iter(await one_decision_each(drafts, place))
        return [next(outcomes) if isinstance(entry, OrderDraft) else entry for entry in entries]
