"""Group commit: what arrives while one group is being committed becomes the next group."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

import structlog

from service_runtime.deadline import Deadline
from service_runtime.errors import Internal, NotAccepted, Overloaded, ServiceError

log = structlog.get_logger(__name__)
Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class GroupLimits:
    """Entries a group may have, entries that may wait, groups under way at once, and seconds for these to end when the process stops."""

    group_size_max: int
    waiting_max: int
    in_flight_max: int
    drain_timeout_s: float


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Entry, Answer]):
    entry: Entry
    keys: frozenset[Hashable]
    deadline: Deadline
    answer: asyncio.Future[Answer]


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
    ) -> None:
        self._commit = commit
        self._keys = keys
        self._limits = limits
        self._waiting: deque[_Waiting[Entry, Answer]] = deque()
        self._busy: Counter[Hashable] = Counter()
        self._groups: set[asyncio.Task[None]] = set()
        self._is_waking = False
        self._is_closed = False

    async def submit(self, entry: Entry, deadline: Deadline) -> Answer:
        """Answers what `commit` answered for this entry, or raises its error; see submit_all."""
        [answer] = self.submit_all([entry], deadline)
        return await answer

    async def outcomes(self, entries: Sequence[Entry], deadline: Deadline) -> list[Answer | ServiceError]:
        """Answers a value or an error for each entry, in their order; entries that do not fit all answer Overloaded."""
        try:
            futures = self.submit_all(entries, deadline)
        except ServiceError as error:
            return [error] * len(entries)
        if futures:
            await asyncio.wait(futures)
        return [self._outcome(future) for future in futures]

    @staticmethod
    def _outcome(future: asyncio.Future[Answer]) -> Answer | ServiceError:
        error = future.exception()
        if error is None:
            return future.result()
        return error if isinstance(error, ServiceError) else Internal()

    def submit_all(self, entries: Sequence[Entry], deadline: Deadline) -> list[asyncio.Future[Answer]]:
        """Queues entries in this order and answers their futures.

        Raises Overloaded at once, with none queued, if they do not fit. A future fails with NotAccepted if the deadline passed before its
        entry's group began, and one that was cancelled before that is left out: nothing was done then.
        """
        if self._is_closed:
            raise NotAccepted
        if len(self._waiting) + len(entries) > self._limits.waiting_max:
            raise Overloaded
        loop = asyncio.get_running_loop()
        queued = [_Waiting(entry, frozenset(self._keys(entry)), deadline, loop.create_future()) for entry in entries]
        self._waiting.extend(queued)
        if not self._is_waking:
            # At the end of this turn of the event loop, so that all who arrive in one turn go together.
            self._is_waking = True
            loop.call_soon(self._begin_groups)
        return [waiting.answer for waiting in queued]

    def _begin_groups(self) -> None:
        self._is_waking = False
        while self._waiting and len(self._groups) < self._limits.in_flight_max:
            group = self._next_group()
            if not group:
                return
            for waiting in group:
                self._busy.update(waiting.keys)
            task = asyncio.create_task(self._run(group))
            self._groups.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._groups.discard(task)
        self._begin_groups()

    def _next_group(self) -> list[_Waiting[Entry, Answer]]:
        """Takes those who can go now, in the order of arrival; the others keep their places."""
        group: list[_Waiting[Entry, Answer]] = []
        staying: list[_Waiting[Entry, Answer]] = []
        held = set(self._busy)
        while self._waiting and len(group) < self._limits.group_size_max:
            waiting = self._waiting.popleft()
            if waiting.answer.done():
                continue
            if waiting.deadline.passed():
                waiting.answer.set_exception(NotAccepted())
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
        try:
            answers = await self._commit([waiting.entry for waiting in group])
        except ServiceError as error:
            answers = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever.
            log.error("group failed", error=type(error).__name__, size=len(group))  # noqa: TRY400 - texts quote rows.
        finally:
            for waiting in group:
                self._busy.subtract(waiting.keys)
            self._busy = +self._busy
            if len(answers) != len(group):
                answers = [Internal()] * len(group)
            for waiting, answer in zip(group, answers, strict=True):
                _complete(waiting.answer, answer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes no more, refuses who still waits, and lets the groups that have begun end."""
        self._is_closed = True
        for waiting in self._waiting:
            _complete(waiting.answer, NotAccepted())
        self._waiting.clear()
        if self._groups:
            _, late = await asyncio.wait(self._groups, timeout=self._limits.drain_timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _complete(future: asyncio.Future[Answer], answer: Answer | ServiceError) -> None:
    if future.done():
        return
    if isinstance(answer, ServiceError):
        future.set_exception(answer)
        future.exception()  # Marked as seen: its caller may have gone.
    else:
        future.set_result(answer)
