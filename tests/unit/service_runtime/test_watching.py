"""The hub of watches: many wait, one reads, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from service_runtime.errors import Internal, NotAccepted, Overloaded
from service_runtime.watching import QUESTIONS_MAX, WatchEnded, WatchHub, WatchLimits

AGES_S = 3_600.0
TIMEOUT_S = 10.0


class Seen(NamedTuple):
    """A thing, and the state of it that somebody saw."""

    thing: str
    state: int


class World:
    """Things with states, and what was asked of them."""

    def __init__(self) -> None:
        self.states: dict[str, int] = {}
        self.asked: list[Sequence[Seen]] = []
        self.error: Exception | None = None
        self.was_asked = asyncio.Event()

    async def read(self, questions: Sequence[Seen]) -> Mapping[Seen, int]:
        self.asked.append(questions)
        self.was_asked.set()
        if self.error is not None:
            raise self.error
        return {
            seen: self.states[seen.thing] for seen in questions if self.states.get(seen.thing, seen.state) != seen.state
        }


Hub = WatchHub[Seen, int]


@asynccontextmanager
async def running(world: World, *, interval_s: float = AGES_S) -> AsyncIterator[Hub]:
    hub = Hub(read=world.read, limits=WatchLimits(watches_max=1_000, watched_max=5_000, interval_s=interval_s))
    async with hub.running(), asyncio.timeout(TIMEOUT_S):
        yield hub


async def follow(hub: Hub, thing: str, *, at_once: bool = False) -> int:
    """Wait for news of a thing that was seen in state 0."""
    with hub.watching([thing]):
        news = await hub.news([Seen(thing, 0)], at_once=at_once)
    return news[Seen(thing, 0)]


async def waiting(hub: Hub, *things: str) -> list["asyncio.Task[int]"]:
    """Have several wait, and return when they do."""
    tasks = [asyncio.create_task(follow(hub, thing)) for thing in things]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_wait_are_answered_by_one_read_that_asks_each_question_once() -> None:
    world = World()
    async with running(world) as hub:
        tasks = await waiting(hub, *["hot"] * 200, *["cold"] * 200)
        world.states["hot"] = 1
        hub.hint(["hot"])
        assert await asyncio.gather(*tasks[:200]) == [1] * 200
        assert [sorted(asked) for asked in world.asked] == [[Seen("cold", 0), Seen("hot", 0)]]
        assert not any(task.done() for task in tasks[200:])
        for task in tasks[200:]:
            task.cancel()


async def test_what_was_changed_elsewhere_is_seen_after_the_interval() -> None:
    world = World()
    async with running(world, interval_s=0.01) as hub:
        [task] = await waiting(hub, "thing")
        await world.was_asked.wait()
        world.states["thing"] = 7
        assert await task == 7


async def test_who_asks_at_once_does_not_wait_for_the_interval() -> None:
    world = World()
    world.states["thing"] = 1
    async with running(world) as hub:
        assert await follow(hub, "thing", at_once=True) == 1


async def test_nothing_is_read_while_nobody_waits() -> None:
    world = World()
    async with running(world, interval_s=0.001) as hub:
        with hub.watching(["thing"]):
            for _ in range(100):
                hub.hint(["thing"])
                await asyncio.sleep(0)
        assert world.asked == []


async def test_a_hint_of_what_nobody_watches_is_not_heard() -> None:
    world = World()
    async with running(world) as hub:
        [task] = await waiting(hub, "thing")
        hub.hint(["another"])
        hub.hint([])
        for _ in range(100):
            await asyncio.sleep(0)
        assert world.asked == []
        task.cancel()


async def test_many_questions_are_asked_in_several_reads() -> None:
    world = World()
    things = [f"thing {number}" for number in range(2 * QUESTIONS_MAX + 1)]
    world.states = dict.fromkeys(things, 1)
    async with running(world) as hub:
        with hub.watching(things):
            news = await hub.news([Seen(thing, 0) for thing in things], at_once=True)
        assert len(news) == len(things)
        assert [len(asked) for asked in world.asked] == [QUESTIONS_MAX, QUESTIONS_MAX, 1]


@pytest.mark.parametrize(("error", "told"), [(NotAccepted(), NotAccepted), (ValueError("text"), Internal)])
async def test_a_read_that_fails_is_told_to_all_who_wait_and_to_nobody_after_them(
    error: Exception, told: type[Exception]
) -> None:
    world = World()
    world.error = error
    async with running(world) as hub:
        tasks = await waiting(hub, "one", "other")
        hub.hint(["one"])
        for task in tasks:
            with pytest.raises(told):
                await task
        world.error = None
        world.states["one"] = 1
        assert await follow(hub, "one", at_once=True) == 1


async def test_a_drained_hub_ends_those_who_wait_and_takes_no_more() -> None:
    world = World()
    async with running(world) as hub:
        tasks = await waiting(hub, "one", "other")
        await hub.drain()
        for task in tasks:
            with pytest.raises(WatchEnded):
                await task
        with pytest.raises(WatchEnded):
            await follow(hub, "one")


async def test_a_watch_that_is_busy_when_the_hub_is_drained_is_cut_off_in_the_end() -> None:
    async def hang(hub: Hub, begun: asyncio.Event) -> None:
        with hub.watching(["thing"]):
            begun.set()
            await asyncio.Event().wait()

    async with running(World()) as hub:
        begun = asyncio.Event()
        hanging = asyncio.create_task(hang(hub, begun))
        await begun.wait()
        await hub.drain()
        with pytest.raises(asyncio.CancelledError):
            await hanging


async def test_watches_and_what_they_watch_are_limited_and_counted_once() -> None:
    hub = Hub(read=World().read, limits=WatchLimits(watches_max=3, watched_max=4, interval_s=AGES_S))
    held = [asyncio.Event() for _ in range(3)]

    async def watch(things: list[str], until: asyncio.Event) -> None:
        with hub.watching(things):
            await until.wait()

    async def is_refused(*things: str) -> bool:
        attempt = asyncio.create_task(watch(list(things), held[-1]))
        await asyncio.sleep(0)
        if not attempt.done():
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
            return False
        with pytest.raises(Overloaded):
            attempt.result()
        return True

    first = asyncio.create_task(watch(["a", "b"], held[0]))
    second = asyncio.create_task(watch(["b", "c"], held[1]))
    await asyncio.sleep(0)
    assert await is_refused("d", "e")
    assert not await is_refused("a", "b", "c", "d")
    held[0].set()
    await first
    assert not await is_refused("d", "e")
    third = [asyncio.create_task(watch(["b"], held[1])) for _ in range(2)]
    await asyncio.sleep(0)
    assert await is_refused("b")
    held[1].set()
    await asyncio.gather(second, *third)
