"""Many orders in one call, each on its own."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import structlog

from order_service.errors import RequestIdReused
from order_service.model import Order, OrderDraft
from order_service.placement import OrderPlacement
from service_runtime.deadline import Deadline
from service_runtime.errors import Internal, ServiceError

log = structlog.get_logger(__name__)
Outcome = Order | ServiceError


class BatchPlacement:
    """Places the orders of a batch, a limited number at once."""

    def __init__(self, *, placement: OrderPlacement, concurrency: int) -> None:
        self._placement = placement
        self._concurrency = concurrency

    async def place_all(self, entries: Sequence[OrderDraft | ServiceError], deadline: Deadline) -> list[Outcome]:
        """Answers an outcome for each entry, in their order; an entry that could not be read answers its own error.

        Where one customer's request_id stands twice, the first decides: an equal draft shares its outcome, another is RequestIdReused.
        """
        drafts = [entry for entry in entries if isinstance(entry, OrderDraft)]
        firsts: dict[UUID, OrderDraft] = {}
        for draft in drafts:
            firsts.setdefault(draft.order_id, draft)
        outcomes: dict[UUID, Outcome] = {}
        waiting = iter(firsts.items())
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(firsts))):
                group.create_task(self._place_waiting(waiting, outcomes, deadline))
        return [_shared(entry, firsts, outcomes) if isinstance(entry, OrderDraft) else entry for entry in entries]

    async def _place_waiting(
        self, waiting: Iterator[tuple[UUID, OrderDraft]], outcomes: dict[UUID, Outcome], deadline: Deadline
    ) -> None:
        for order_id, draft in waiting:
            try:
                outcomes[order_id] = await self._placement.place(draft, deadline)
            except ServiceError as error:
                outcomes[order_id] = error
            except Exception as error:  # noqa: BLE001 - one order that fails must not fail its neighbours.
                log.error("order failed", order_id=str(order_id), error=type(error).__name__)  # noqa: TRY400
                outcomes[order_id] = Internal()


def _shared(draft: OrderDraft, firsts: Mapping[UUID, OrderDraft], outcomes: Mapping[UUID, Outcome]) -> Outcome:
    if draft.fingerprint != firsts[draft.order_id].fingerprint:
        return RequestIdReused({"order_id": str(draft.order_id)})
    return outcomes[draft.order_id]
