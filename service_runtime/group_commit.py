"""Group commit: what arrives while one group is being committed becomes the next group."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar

import structlog

from service_runtime import tracing
from service_runtime.deadline import Deadline
from service_runtime.errors import Internal, NotAccepted, Overloaded, ServiceError
from service_runtime.metrics import CLOSING, EXPIRED, OVERLOADED, GroupStats

log = structlog.get_logger(__name__)
Entry = TypeVar("Entry")
Answer = TypeVar("Answer")
NOT_ANSWERED = Internal()


@dataclass(frozen=True)
class GroupLimits:
    """Entries a group may have, entries that may wait, groups under way at once, and seconds for these to end when the process stops."""

    group_size_max: int
    waiting_max: int
    in_flight_max: int
    drain_timeout_s: float


class _Call(Generic[Answer]):
    """Entries that one caller handed in together: their answers, and a future that is done when all are there."""

    __slots__ = ("answers", "barred", "done", "missing", "queued_s", "span")

    def __init__(self, count: int, done: asyncio.Future[None]) -> None:
        self.answers: list[Answer | ServiceError] = [NOT_ANSWERED] * count
        self.missing = count
        self.done = done
        self.queued_s = 0.0
        # Keys of entries that have no answer: their later ones in this call must not be committed before them.
        self.barred: set[Hashable] = set()
        self.span = tracing.current.get()

    def complete(self, place: int, answer: Answer | ServiceError) -> None:
        """Takes the answer of one entry."""
        self.answers[place] = answer
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)


class _Waiting(NamedTuple, Generic[Entry, Answer]):
    entry: Entry
    keys: frozenset[Hashable]
    deadline_s: float
    call: _Call[Answer]
    place: int


class GroupCommit(Generic[Entry, Answer]):
    """Commits entries in groups. The group in flight is the window: there is no timer, and a caller alone waits for nobody.

    `commit` takes a group in the order of arrival and answers one value or ServiceError for each entry, in that order. Two groups under
    way at once never share a key, so that who waits for a hot row holds up nobody who does not. Groups belong to the process: a caller
    who goes away takes nothing out of a group that has begun.
    """

    def __init__(
        self,
        *,
        commit: Callable[[Sequence[Entry]], Awaitable[Sequence[Answer | ServiceError]]],
        keys: Callable[[Entry], Iterable[Hashable]],
        limits: GroupLimits,
        stats: GroupStats | None = None,
    ) -> None:
        self._commit = commit
        self._keys = keys
        self._limits = limits
        self._stats = stats
        if stats is not None:
            stats.opened(limits.waiting_max)
        self._waiting: deque[_Waiting[Entry, Answer]] = deque()
        self._busy: set[Hashable] = set()
        self._groups: set[asyncio.Task[None]] = set()
        # Of the process: a group has many callers, and must not pass for a part of the one who came first.
        self._context = copy_context()
        self._is_waking = False
        self._is_closed = False

    async def submit(self, entry: Entry, deadline: Deadline) -> Answer:
        """Answers what `commit` answered for this entry, or raises its error; see outcomes."""
        refusal = self._refusal(1)
        if refusal is not None:
            raise refusal
        call = self._enqueue([entry], deadline)
        await call.done
        outcome = call.answers[0]
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    async def outcomes(self, entries: Sequence[Entry], deadline: Deadline) -> list[Answer | ServiceError]:
        """Answers a value or an error for each entry, in their order, which is the order that they are queued in.

        Entries that do not fit all answer Overloaded at once, with none queued. One whose group did not begin before the deadline
        answers NotAccepted, and those of a caller who has gone by then are left out: nothing was done. Entries of one call that share a key
        are committed in their order or not at all: behind one without an answer, those of later groups answer NotAccepted.
        """
        refusal = self._refusal(len(entries))
        if refusal is not None:
            return [refusal] * len(entries)
        if not entries:
            return []
        call = self._enqueue(entries, deadline)
        await call.done
        return call.answers

    async def outcomes_by(self, entries: Sequence[Entry], deadline: Deadline) -> list[Answer | ServiceError]:
        """Answers as `outcomes` does, but no later than at the deadline: then NotAccepted for each that has no answer yet.

        Those whose group has begun go on without the caller, the others are left out.
        """
        refusal = self._refusal(len(entries))
        if refusal is not None:
            return [refusal] * len(entries)
        if not entries:
            return []
        call = self._enqueue(entries, deadline)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline.remaining_s()):
                await call.done
        return [NotAccepted() if answer is NOT_ANSWERED else answer for answer in call.answers]

    def _enqueue(self, entries: Sequence[Entry], deadline: Deadline) -> _Call[Answer]:
        loop = asyncio.get_running_loop()
        call: _Call[Answer] = _Call(len(entries), loop.create_future())
        for place, entry in enumerate(entries):
            self._waiting.append(_Waiting(entry, frozenset(self._keys(entry)), deadline.at_s, call, place))
        if self._stats is not None:
            call.queued_s = self._stats.queued(len(self._waiting))
        if not self._is_waking:
            # At the end of this turn of the event loop, so that all who arrive in one turn go together.
            self._is_waking = True
            loop.call_soon(self._begin_groups)
        return call

    def _refusal(self, count: int) -> ServiceError | None:
        if self._is_closed:
            self._note_refused(CLOSING, count)
            return NotAccepted()
        if len(self._waiting) + count > self._limits.waiting_max:
            self._note_refused(OVERLOADED, count)
            return Overloaded()
        return None

    def _note_refused(self, reason: str, count: int) -> None:
        if self._stats is not None:
            self._stats.refused(reason, count)

    def _begin_groups(self) -> None:
        self._is_waking = False
        while self._waiting and len(self._groups) < self._limits.in_flight_max:
            group = self._next_group()
            if not group:
                return
            self._busy.update(*[waiting.keys for waiting in group])
            task = asyncio.create_task(self._run(group), context=self._context.copy())
            self._groups.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._groups.discard(task)
        self._begin_groups()

    def _next_group(self) -> list[_Waiting[Entry, Answer]]:
        """Takes those who can go now, in the order of arrival; the others keep their places."""
        group: list[_Waiting[Entry, Answer]] = []
        staying: list[_Waiting[Entry, Answer]] = []
        now_s = time.monotonic()
        held = set(self._busy)
        while self._waiting and len(group) < self._limits.group_size_max:
            waiting = self._waiting.popleft()
            if waiting.call.done.done():
                continue
            if waiting.call.barred and not waiting.call.barred.isdisjoint(waiting.keys):
                waiting.call.barred |= waiting.keys
                waiting.call.complete(waiting.place, NotAccepted())
            elif waiting.deadline_s <= now_s:
                waiting.call.barred |= waiting.keys
                self._note_refused(EXPIRED, 1)
                waiting.call.complete(waiting.place, NotAccepted())
            elif held and not held.isdisjoint(waiting.keys):
                # Whoever comes later and shares one of its keys must stay behind it.
                held |= waiting.keys
                staying.append(waiting)
            else:
                group.append(waiting)
        self._waiting.extendleft(reversed(staying))
        return group

    async def _run(self, group: Sequence[_Waiting[Entry, Answer]]) -> None:
        answers: Sequence[Answer | ServiceError] = ()
        began_s = self._stats.began(len(group), group[0].call.queued_s, len(self._waiting)) if self._stats else 0.0
        try:
            with tracing.group_span([waiting.call.span for waiting in group], len(group)):
                answers = await self._commit([waiting.entry for waiting in group])
        except ServiceError as error:
            answers = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever.
            log.error("group failed", error=type(error).__name__, size=len(group))  # noqa: TRY400 - texts quote rows.
        finally:
            if self._stats is not None:
                self._stats.ended(began_s)
            # No other group has any of them.
            self._busy.difference_update(*[waiting.keys for waiting in group])
            if len(answers) != len(group):
                answers = [Internal()] * len(group)
            for waiting, answer in zip(group, answers, strict=True):
                if isinstance(answer, NotAccepted | Internal):
                    waiting.call.barred |= waiting.keys
                waiting.call.complete(waiting.place, answer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes no more, refuses who still waits, and lets the groups that have begun end."""
        self._is_closed = True
        self._note_refused(CLOSING, len(self._waiting))
        for waiting in self._waiting:
            waiting.call.complete(waiting.place, NotAccepted())
        self._waiting.clear()
        if self._groups:
            _, late = await asyncio.wait(self._groups, timeout=self._limits.drain_timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
