"""Watching: many wait for news, and few statements look for it."""

import asyncio
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar, cast

import structlog

from service_runtime.background import beside
from service_runtime.errors import Internal, Overloaded, ServiceError, Unavailable

Question = TypeVar("Question", bound=Hashable)
News = TypeVar("News")

# Questions that one read takes; more are asked in several.
QUESTIONS_MAX = 1_000
# The least time between two reads, however often there are hints.
READ_GAP_S = 0.02
# How long a watch may take to tell its caller that it ends. One that takes longer hangs, because its caller reads nothing.
FAREWELL_TIMEOUT_S = 1.0

log = structlog.get_logger(__name__)


class WatchEnded(Unavailable):
    """This process of the service is going away: watch again, from where you are."""

    reason = "WATCH_ENDED"


@dataclass(frozen=True)
class WatchLimits:
    """Watches at once, different things that they may be about, and seconds between two reads."""

    watches_max: int
    watched_max: int
    interval_s: float


@dataclass(eq=False)
class _Waiter(Generic[Question, News]):
    questions: Collection[Question]
    found: asyncio.Future[Mapping[Question, News]]


class WatchHub(Generic[Question, News]):
    """Looks for news for all who wait, together, every interval_s seconds while anybody does.

    A question says what is watched and what is known of it; `read` answers those of its questions that there is news about. Nothing is
    queued: who is busy with the last news does not wait, and asks again from there. So a watch holds one answer at most, however slow its
    caller is, and what it has missed is asked for like everything else. Hints that something was changed in this process only save time.
    """

    def __init__(
        self,
        *,
        read: Callable[[Sequence[Question]], Awaitable[Mapping[Question, News]]],
        limits: WatchLimits,
    ) -> None:
        self._read = read
        self._limits = limits
        self._watched: Counter[Hashable] = Counter()
        self._watches: set[asyncio.Task[Any]] = set()
        self._waiters: set[_Waiter[Question, News]] = set()
        self._somebody_waits = asyncio.Event()
        self._hinted = asyncio.Event()
        self._is_draining = False

    @contextmanager
    def watching(self, things: Sequence[Hashable]) -> Iterator[None]:
        """Counts a watch of these things, from here to the end of the block; raises Overloaded if there are too many.

        One call is one task, and has one watch.
        """
        watched = len(self._watched) + sum(thing not in self._watched for thing in things)
        if len(self._watches) >= self._limits.watches_max or watched > self._limits.watched_max:
            raise Overloaded
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._watches.add(task)
        self._watched.update(things)
        try:
            yield
        finally:
            self._watches.discard(task)
            self._watched -= Counter(things)

    async def news(self, questions: Collection[Question], *, at_once: bool) -> Mapping[Question, News]:
        """Waits until there is news about any of the questions, and answers all that there is.

        Asked at once it does not wait for the interval to pass. Raises WatchEnded, and what `read` raises.
        """
        if self._is_draining:
            raise WatchEnded
        waiter: _Waiter[Question, News] = _Waiter(questions, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        self._somebody_waits.set()
        if at_once:
            self._hinted.set()
        try:
            return await waiter.found
        finally:
            self._waiters.discard(waiter)

    def hint(self, things: Iterable[Hashable]) -> None:
        """Tells that something was changed: if it is watched, it is read soon."""
        if self._watched and any(thing in self._watched for thing in things):
            self._hinted.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the reading task from here to the end of the block."""
        async with beside(self._run()):
            yield

    async def drain(self) -> None:
        """Ends all watches with WatchEnded, and cuts off those that cannot be told."""
        self._is_draining = True
        self._fail(self._waiters, WatchEnded())
        if self._watches:
            _, hanging = await asyncio.wait(self._watches, timeout=FAREWELL_TIMEOUT_S)
            for watch in hanging:
                watch.cancel()

    async def _run(self) -> None:
        while True:
            await self._somebody_waits.wait()
            try:
                async with asyncio.timeout(self._limits.interval_s):
                    await self._hinted.wait()
            except TimeoutError:
                pass
            self._hinted.clear()
            self._somebody_waits.clear()
            await self._answer(list(self._waiters))
            if self._waiters:
                self._somebody_waits.set()
            await asyncio.sleep(READ_GAP_S)

    async def _answer(self, waiters: Sequence[_Waiter[Question, News]]) -> None:
        questions = iter({question: None for waiter in waiters for question in waiter.questions})
        news: dict[Question, News] = {}
        try:
            while some := list(islice(questions, QUESTIONS_MAX)):
                news |= await self._read(some)
        except ServiceError as error:
            self._fail(waiters, error)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever.
            log.error("watching failed", error=type(error).__name__)  # noqa: TRY400 - texts of errors quote rows.
            self._fail(waiters, Internal())
            return
        for waiter in waiters:
            found = {question: news[question] for question in waiter.questions if question in news}
            if found and not waiter.found.done():
                waiter.found.set_result(found)

    def _fail(self, waiters: Iterable[_Waiter[Question, News]], error: ServiceError) -> None:
        for waiter in waiters:
            if not waiter.found.done():
                waiter.found.set_exception(error)
