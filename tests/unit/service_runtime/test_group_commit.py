"""Group commit: who goes together, who waits, and what becomes of whom when something fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from local_shop.scrape import Scrape
from service_runtime.deadline import Deadline
from service_runtime.errors import Internal, NotAccepted, Overloaded, ServiceError
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metric_export import PagesCollector
from service_runtime.metric_page import Page
from service_runtime.metrics import REASONS, ServiceMetrics

LIMITS = GroupLimits(group_size_max=100, waiting_max=1_000, in_flight_max=1, drain_timeout_s=5.0)
TIMEOUT_S = 10.0


class Refused(ServiceError):
    """This entry is refused."""

    reason = "REFUSED"


class Bench:
    """Commits groups of texts `key:number`, and holds each group until the test lets it go."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[tuple[list[str], asyncio.Future[Sequence[str | ServiceError] | None]]] = (
            asyncio.Queue()
        )

    async def commit(self, entries: Sequence[str]) -> Sequence[str | ServiceError]:
        word: asyncio.Future[Sequence[str | ServiceError] | None] = asyncio.get_running_loop().create_future()
        self.begun.put_nowait((list(entries), word))
        answers = await word
        return [entry.upper() for entry in entries] if answers is None else answers

    async def group(self) -> tuple[list[str], asyncio.Future[Sequence[str | ServiceError] | None]]:
        """The next group that began, and how to let it go: with answers of its own, or with None for the usual ones."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.begun.get()

    @asynccontextmanager
    async def lane(self, limits: GroupLimits = LIMITS) -> AsyncIterator[GroupCommit[str, str]]:
        async with GroupCommit(commit=self.commit, keys=lambda entry: [entry[0]], limits=limits) as lane:
            yield lane


def soon() -> Deadline:
    return Deadline.after(TIMEOUT_S)


async def submitted(
    lane: GroupCommit[str, str], *entries: str, deadline: Deadline | None = None
) -> list[asyncio.Task[str]]:
    """Callers of their own, each of whom has handed in one entry."""
    callers = [asyncio.create_task(lane.submit(entry, deadline or soon())) for entry in entries]
    await asyncio.sleep(0)
    return callers


async def test_a_caller_alone_is_a_group_of_one_and_waits_for_nobody() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        [answer] = await submitted(lane, "a:1")
        entries, word = await bench.group()
        assert entries == ["a:1"]
        word.set_result(None)
        assert await answer == "A:1"


async def test_who_comes_while_a_group_is_under_way_forms_the_next_one_in_the_order_of_arrival() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        first = await submitted(lane, "a:1")
        _, word = await bench.group()
        later = await submitted(lane, "a:2", "b:3", "a:4")
        assert bench.begun.empty()
        word.set_result(None)
        entries, word = await bench.group()
        assert entries == ["a:2", "b:3", "a:4"]
        word.set_result(None)
        assert await asyncio.gather(*first, *later) == ["A:1", "A:2", "B:3", "A:4"]


async def test_a_group_has_its_largest_size_and_the_rest_goes_next() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, group_size_max=2)) as lane:
        answers = await submitted(lane, "a:1", "a:2", "a:3")
        for expected in (["a:1", "a:2"], ["a:3"]):
            entries, word = await bench.group()
            assert entries == expected
            word.set_result(None)
        assert await asyncio.gather(*answers) == ["A:1", "A:2", "A:3"]


async def test_one_bad_entry_fails_alone() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        good, bad = await submitted(lane, "a:1", "a:2")
        _, word = await bench.group()
        word.set_result(["fine", Refused()])
        assert await good == "fine"
        with pytest.raises(Refused):
            await bad


async def test_a_group_that_fails_answers_everybody_and_the_next_one_goes_on() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        for error, seen in ((Refused(), Refused), (ValueError("a row's text"), Internal)):
            answers = await submitted(lane, "a:1", "a:2")
            _, word = await bench.group()
            word.set_exception(error)
            for outcome in await asyncio.gather(*answers, return_exceptions=True):
                assert isinstance(outcome, seen)
                assert "row" not in str(outcome)
        [answer] = await submitted(lane, "a:3")
        _, word = await bench.group()
        word.set_result(None)
        assert await answer == "A:3"


async def test_a_commit_that_answers_too_few_leaves_nobody_waiting() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        answers = await submitted(lane, "a:1", "a:2")
        _, word = await bench.group()
        word.set_result(["only one"])
        assert [type(outcome) for outcome in await asyncio.gather(*answers, return_exceptions=True)] == [Internal] * 2


async def test_a_caller_who_goes_away_in_time_is_left_out_and_later_hurts_nobody() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        gone, stays = [asyncio.create_task(lane.submit(entry, soon())) for entry in ("a:1", "a:2")]
        _, word = await bench.group()
        leaves_early = asyncio.create_task(lane.submit("a:3", soon()))
        await asyncio.sleep(0)
        for task in (gone, leaves_early):
            task.cancel()
        await asyncio.wait([gone, leaves_early])
        word.set_result(None)
        assert await stays == "A:2"
        [last] = await submitted(lane, "a:4")
        entries, word = await bench.group()
        assert entries == ["a:4"]
        word.set_result(None)
        await last


async def test_who_is_late_is_dropped_before_the_group_begins_and_never_after() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        running, passed = Deadline.after(0.005), asyncio.Event()
        [begun] = await submitted(lane, "a:1", deadline=running)
        _, word = await bench.group()
        [late] = await submitted(lane, "a:2", deadline=running)
        asyncio.get_running_loop().call_later(running.remaining_s() + 0.001, passed.set)
        await passed.wait()
        word.set_result(None)
        assert await begun == "A:1"
        with pytest.raises(NotAccepted):
            await late
        assert bench.begun.empty()


async def test_the_entries_of_one_call_are_answered_together_each_on_its_own() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, group_size_max=2)) as lane:
        outcomes = asyncio.create_task(lane.outcomes(["a:1", "a:2", "a:3"], soon()))
        for answers in (["fine", Refused()], None):
            _, word = await bench.group()
            assert not outcomes.done()
            word.set_result(answers)
        fine, refused, last = await outcomes
        assert (fine, type(refused), last) == ("fine", Refused, "A:3")
        assert await lane.outcomes([], soon()) == []


async def test_a_call_that_is_late_for_its_last_group_answers_what_the_first_one_did() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, group_size_max=1)) as lane:
        running, passed = Deadline.after(0.005), asyncio.Event()
        outcomes = asyncio.create_task(lane.outcomes(["a:1", "a:2"], running))
        _, word = await bench.group()
        asyncio.get_running_loop().call_later(running.remaining_s() + 0.001, passed.set)
        await passed.wait()
        word.set_result(None)
        done, late = await outcomes
        assert (done, type(late)) == ("A:1", NotAccepted)
        assert bench.begun.empty()


async def test_a_full_queue_refuses_at_once_and_takes_none_of_what_does_not_fit() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, waiting_max=2)) as lane:
        begun = await submitted(lane, "a:1")
        _, word = await bench.group()
        waiting = await submitted(lane, "a:2")
        refusals = await lane.outcomes(["a:3", "a:4"], soon())
        assert [type(refusal) for refusal in refusals] == [Overloaded] * 2
        assert all(isinstance(refusal, Overloaded) and refusal.retry_after_s for refusal in refusals)
        word.set_result(None)
        entries, word = await bench.group()
        assert entries == ["a:2"]
        word.set_result(None)
        await asyncio.gather(*begun, *waiting)


async def test_who_waits_for_a_hot_key_holds_up_nobody_else_and_keeps_its_place() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, in_flight_max=2)) as lane:
        hot = await submitted(lane, "h:1")
        _, hot_word = await bench.group()
        answers = await submitted(lane, "h:2", "c:1", "h:3")
        entries, word = await bench.group()
        assert entries == ["c:1"]
        word.set_result(None)
        assert await answers[1] == "C:1"
        assert bench.begun.empty()
        hot_word.set_result(None)
        entries, word = await bench.group()
        assert entries == ["h:2", "h:3"]
        word.set_result(None)
        await asyncio.gather(*hot, *answers)


async def test_closing_refuses_who_waits_and_lets_the_group_under_way_end() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        [begun] = await submitted(lane, "a:1")
        _, word = await bench.group()
        [waiting] = await submitted(lane, "a:2")
        asyncio.get_running_loop().call_soon(word.set_result, None)
    assert await begun == "A:1"
    with pytest.raises(NotAccepted):
        await waiting
    with pytest.raises(NotAccepted):
        await lane.submit("a:3", soon())


async def test_groups_and_refusals_are_counted_as_they_happen() -> None:
    metrics = ServiceMetrics(Page(), service="test", methods=[], lanes=["lane"])
    bench = Bench()
    limits = replace(LIMITS, waiting_max=2)

    def seen() -> Scrape:
        registry = CollectorRegistry()
        registry.register(PagesCollector([metrics.page]))
        return Scrape.of(generate_latest(registry).decode())

    async with GroupCommit(
        commit=bench.commit, keys=lambda entry: [entry[0]], limits=limits, stats=metrics.lane("lane")
    ) as lane:
        callers = await submitted(lane, "a:1", "a:2")
        _, first = await bench.group()
        late = await submitted(lane, "b:1", deadline=Deadline.after(0.0))
        callers += await submitted(lane, "b:2")
        with pytest.raises(Overloaded):
            await lane.submit("b:3", soon())
        assert seen().total("recordshop_queue_length") == 2
        assert seen().total("recordshop_queue_length_max") == 2
        assert seen().total("recordshop_groups_in_flight") == 1
        first.set_result(None)
        _, second = await bench.group()
        second.set_result(None)
        await asyncio.gather(*callers)
        with pytest.raises(NotAccepted):
            await late[0]
    with pytest.raises(NotAccepted):
        await lane.submit("c:1", soon())
    told = seen()
    assert told.total("recordshop_group_size_count") == told.total("recordshop_group_commit_seconds_count") == 2
    assert told.total("recordshop_group_wait_seconds_count") == 2
    assert told.total("recordshop_group_size_sum") == 3
    assert told.total("recordshop_queue_length") == told.total("recordshop_groups_in_flight") == 0
    refused = {reason: told.total("recordshop_refusals_total", lane="lane", reason=reason) for reason in REASONS}
    assert refused == {"overloaded": 1, "expired": 1, "closing": 1}


@pytest.mark.parametrize("answers", [[NotAccepted()], [Internal()], []], ids=["not accepted", "internal", "none"])
async def test_behind_an_entry_without_an_answer_none_of_its_call_with_its_key_is_committed(
    answers: list[ServiceError],
) -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, group_size_max=1)) as lane:
        asking = asyncio.create_task(lane.outcomes(["a:1", "a:2", "b:1", "a:3"], soon()))
        entries, word = await bench.group()
        assert entries == ["a:1"]
        [other] = await submitted(lane, "a:4")
        word.set_result(answers)
        for expected in (["b:1"], ["a:4"]):
            entries, word = await bench.group()
            assert entries == expected, "others, and other keys, are not held up"
            word.set_result(None)
        first, second, third, fourth = await asking
        assert isinstance(first, NotAccepted | Internal)
        assert isinstance(second, NotAccepted)
        assert third == "B:1"
        assert isinstance(fourth, NotAccepted)
        assert await other == "A:4"


async def test_a_refusal_is_an_answer_and_bars_nobody_behind_it() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, group_size_max=1)) as lane:
        asking = asyncio.create_task(lane.outcomes(["a:1", "a:2"], soon()))
        _, word = await bench.group()
        word.set_result([Refused()])
        entries, word = await bench.group()
        assert entries == ["a:2"]
        word.set_result(None)
        refused, second = await asking
        assert isinstance(refused, Refused)
        assert second == "A:2"


async def test_a_group_runs_in_nobodys_context_and_so_does_the_next_one() -> None:
    caller: ContextVar[str] = ContextVar("caller", default="nobody")
    seen: list[str] = []

    async def commit(entries: Sequence[int]) -> Sequence[int]:
        seen.append(caller.get())
        await asyncio.sleep(0)
        return entries

    async def ask(lane: GroupCommit[int, int], entry: int) -> int:
        caller.set("somebody")
        return await lane.submit(entry, Deadline.after(TIMEOUT_S))

    # One key for all: each group begins when the one before it ends.
    limits = GroupLimits(group_size_max=1, waiting_max=10, in_flight_max=1, drain_timeout_s=TIMEOUT_S)
    async with GroupCommit(commit=commit, keys=lambda _: ["key"], limits=limits) as lane:
        assert await asyncio.gather(*[asyncio.create_task(ask(lane, entry)) for entry in range(3)]) == [0, 1, 2]
    assert seen == ["nobody"] * 3


async def test_whoever_waits_until_a_deadline_gets_the_answers_that_there_are() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, group_size_max=1, in_flight_max=2)) as lane:
        asking = asyncio.create_task(lane.outcomes_by(["a:1", "b:1", "c:1"], Deadline.after(1.0)))
        _, first = await bench.group()
        _, second = await bench.group()
        first.set_result(None)
        begun, third = await bench.group()
        answers = await asking
        assert answers[0] == "A:1"
        assert [type(answer) for answer in answers[1:]] == [NotAccepted] * 2
        second.set_result(None)
        third.set_result(None)
    assert begun == ["c:1"], "what has begun goes on"


async def test_whoever_waits_until_a_deadline_and_has_not_begun_is_left_out() -> None:
    bench = Bench()
    async with bench.lane(replace(LIMITS, in_flight_max=1)) as lane:
        [other] = await submitted(lane, "a:1")
        _, word = await bench.group()
        [answer] = await lane.outcomes_by(["a:2"], Deadline.after(0.01))
        assert isinstance(answer, NotAccepted)
        word.set_result(None)
        assert await other == "A:1"
        [last] = await submitted(lane, "a:3")
        entries, word = await bench.group()
        assert entries == ["a:3"]
        word.set_result(None)
        await last
