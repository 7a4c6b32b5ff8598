"""How stock is taken: reservations that arrive together are decided together, or each by itself, as the strategy is."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Protocol
from uuid import UUID

from catalog_service.stock.errors import RequestIdReused
from catalog_service.stock.model import Reservation, ReservationRequest
from catalog_service.stock.reservations import ReservationLedger
from service_runtime.deadline import Deadline
from service_runtime.distinct import commit_distinct
from service_runtime.errors import NotAccepted, ServiceError
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metrics import GroupStats

Outcome = Reservation | ServiceError
Lane = GroupCommit[ReservationRequest, Reservation]
_id: Callable[[ReservationRequest], UUID] = attrgetter("id")
_lines: Callable[[ReservationRequest], bytes] = attrgetter("fingerprint")


class StockStrategy(Protocol):
    """Decides reservations one by one. Stock and ledger move together, an id is decided once, and all lines are taken or none."""

    async def reserve_lines(self, requests: Sequence[ReservationRequest]) -> Sequence[Outcome]:
        """Answers for each request, in their order, what was decided now or before, or the error that left it undecided."""


class StockTaking:
    """Sends each request to its lane: one for those of one line, one for those of several; they may be the same.

    `contends` says that the lane of singles has several of one disc under way at once.
    """

    def __init__(self, *, singles: Lane, multiples: Lane, contends: bool) -> None:
        self._singles = singles
        self._multiples = multiples
        self._contends = contends

    async def reserve(self, request: ReservationRequest, deadline: Deadline) -> Reservation:
        """Answers what was decided. Raises what the ledger raises, and Overloaded or NotAccepted if nothing was done."""
        return await self._lane(request).submit(request, deadline)

    async def reserve_all(
        self, requests: Sequence[ReservationRequest | ServiceError], deadline: Deadline, *, in_order: bool
    ) -> list[Outcome]:
        """Answers an outcome for each request, in their order; a request that could not be read answers its own error.

        With in_order, those of one line for one disc are decided in their order, or not at all.
        """
        submit = self._submit_in_order if in_order and self._contends else self._submit_all
        readable = [request for request in requests if isinstance(request, ReservationRequest)]
        outcomes = iter(
            await commit_distinct(
                readable,
                identity=_id,
                content=_lines,
                reused=_reused,
                commit=lambda distinct: submit(distinct, deadline),
            )
        )
        return [next(outcomes) if isinstance(request, ReservationRequest) else request for request in requests]

    async def _submit_all(self, requests: Sequence[ReservationRequest], deadline: Deadline) -> list[Outcome]:
        singles = [request for request in requests if len(request.lines.ids) == 1]
        if len(singles) == len(requests):
            return await self._singles.outcomes(requests, deadline)
        multiples = [request for request in requests if len(request.lines.ids) > 1]
        outcomes = dict(zip(map(_id, singles), await self._singles.outcomes(singles, deadline), strict=True))
        outcomes |= zip(map(_id, multiples), await self._multiples.outcomes(multiples, deadline), strict=True)
        return [outcomes[request.id] for request in requests]

    async def _submit_in_order(self, requests: Sequence[ReservationRequest], deadline: Deadline) -> list[Outcome]:
        queues: dict[UUID, list[ReservationRequest]] = {}
        for request in requests:
            [disc_id, *others] = request.lines.ids
            queues.setdefault(request.id if others else disc_id, []).append(request)
        answers = await asyncio.gather(*[self._one_by_one(queue, deadline) for queue in queues.values()])
        outcomes = {request.id: outcome for answered in answers for request, outcome in answered}
        return [outcomes[request.id] for request in requests]

    async def _one_by_one(
        self, requests: Sequence[ReservationRequest], deadline: Deadline
    ) -> list[tuple[ReservationRequest, Outcome]]:
        """Has each request decided before the next one is begun; behind one that was left undecided, none is."""
        answered: list[tuple[ReservationRequest, Outcome]] = []
        is_stuck = False
        for request in requests:
            [outcome] = [NotAccepted()] if is_stuck else await self._lane(request).outcomes([request], deadline)
            is_stuck = is_stuck or not isinstance(outcome, Reservation | RequestIdReused)
            answered.append((request, outcome))
        return answered

    def _lane(self, request: ReservationRequest) -> Lane:
        return self._singles if len(request.lines.ids) == 1 else self._multiples


def single_lane(ledger: ReservationLedger, limits: GroupLimits, stats: GroupStats | None = None) -> Lane:
    """Decides requests of one line in groups, each as one statement."""

    async def commit(requests: Sequence[ReservationRequest]) -> Sequence[Outcome]:
        return await commit_distinct(
            requests, identity=_id, content=_lines, reused=_reused, commit=ledger.reserve_singles
        )

    return GroupCommit(commit=commit, keys=_discs, limits=limits, stats=stats)


def multiple_lane(strategy: StockStrategy, limits: GroupLimits, stats: GroupStats | None = None) -> Lane:
    """Decides requests of several lines one by one, several at once unless they share a disc."""
    limits = replace(limits, group_size_max=1)
    return GroupCommit(commit=strategy.reserve_lines, keys=_discs, limits=limits, stats=stats)


def contending_lane(strategy: StockStrategy, limits: GroupLimits, stats: GroupStats | None = None) -> Lane:
    """Decides requests one by one, several at once also of one disc: the database settles who comes first."""
    limits = replace(limits, group_size_max=1)
    return GroupCommit(commit=strategy.reserve_lines, keys=lambda _: (), limits=limits, stats=stats)


def _discs(request: ReservationRequest) -> Iterable[UUID]:
    return request.lines.ids


def _reused(request: ReservationRequest) -> ServiceError:
    return RequestIdReused({"reservation_id": str(request.id)})
