"""Hybrid orders: decided if the catalog answers in time, else PENDING and settled without the caller; a sick catalog is left in peace."""

import asyncio
from uuid import uuid4

import pytest

from recordshop.errors import OutOfStock, RequestIdReused
from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of
from tests.faults.books import OnDisk
from tests.faults.order_service.test_queue import ASYNC, HYBRID, SYNC, final
from tests.faults.stage import CALL_TIMEOUT_S, Stage
from tests.faults.waiting import eventually

# Every answer is too slow for it, and it stays open for longer than the test.
NEVER_CONTENT = {"BREAKER_FAILURES_MAX": "1", "BREAKER_SLOW_S": "0.000001", "BREAKER_OPEN_S": "3600"}
QUICK = {"BREAKER_FAILURES_MAX": "1", "BREAKER_OPEN_S": "0.2", "HYBRID_BUDGET_MAX_S": "0.3", "RECOVERY_AGE_S": "60"}
# Its callers wait for longer than the catalog may take.
JUDGING = {
    "BREAKER_FAILURES_MAX": "1",
    "BREAKER_SLOW_S": "1.4",
    "BREAKER_OPEN_S": "3600",
    "HYBRID_BUDGET_MAX_S": "1.8",
    "RECOVERY_AGE_S": "60",
}


def name() -> str:
    return f"hybrid-{uuid4()}"


async def test_a_hybrid_order_is_answered_as_decided_when_the_catalog_is_there(stage: Stage) -> None:
    disc = await stage.disc(stock=2)
    order = await stage.place(name(), {disc: 2}, mode=HYBRID)
    assert status_of(order) == "CONFIRMED"
    assert not order.HasField("follow_up")
    with pytest.raises(OutOfStock):
        await stage.place(name(), {disc: 1}, mode=HYBRID)
    await stage.promise_kept(disc)


@pytest.mark.parametrize("away", ["down", "frozen"])
async def test_a_hybrid_order_is_answered_as_pending_when_the_catalog_is_not_and_settled_later(
    stage: Stage, away: str
) -> None:
    disc = await stage.disc(stock=2)
    request_id = name()
    if away == "down":
        stage.catalog.kill()
    else:
        stage.catalog.pause()
    order = await stage.place(request_id, {disc: 2}, mode=HYBRID)
    assert status_of(order) == "PENDING"
    assert order.follow_up.watch_method
    with pytest.raises(RequestIdReused):
        await stage.place(request_id, {disc: 1}, mode=HYBRID)
    await stage.stand_up()
    assert status_of(await final(stage, order.id)) == "CONFIRMED"
    assert status_of(await stage.place(request_id, {disc: 2}, mode=HYBRID)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_a_hybrid_order_is_answered_before_its_callers_own_deadline(stage: Stage) -> None:
    disc = await stage.disc(stock=2)
    stage.catalog.pause()
    async with stage.second_order_service(HYBRID_BUDGET_MAX_S="60", CATALOG_TIMEOUT_S="60", GROUP_TIMEOUT_S="60") as (
        _,
        second,
    ):
        order = await stage.place(name(), {disc: 2}, mode=HYBRID, stub=second, timeout_s=2)
        assert status_of(order) == "PENDING"
        await stage.stand_up()
        assert status_of(await final(stage, order.id)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_a_catalog_that_was_slow_is_not_asked_for_hybrid_orders_for_a_while(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    async with stage.second_order_service(**NEVER_CONTENT, RECOVERY_AGE_S="60") as (_, second):
        # Its recovery, whose own settings are short, would take a row that is due so far ahead for one of a clock that was set back.
        stage.order.pause()
        slow = await stage.place(name(), {disc: 1}, mode=HYBRID, stub=second)
        assert status_of(slow) == "CONFIRMED"
        spared = [await stage.place(name(), {disc: 1}, mode=HYBRID, stub=second) for _ in range(3)]
        assert [status_of(order) for order in spared] == ["PENDING"] * 3
        for order in spared:
            assert await stage.books.on_disk(order.id) == OnDisk("PENDING", None, 1)
        stage.order.resume()
        # Only hybrid orders keep away from it.
        assert status_of(await stage.place(name(), {disc: 1}, mode=SYNC, stub=second)) == "CONFIRMED"
        queued = await stage.place(name(), {disc: 1}, mode=ASYNC, stub=second)
        assert status_of(await final(stage, queued.id)) == "CONFIRMED"
    await stage.books.make_due()
    assert [status_of(await final(stage, order.id)) for order in spared] == ["CONFIRMED"] * 3
    await stage.promise_kept(disc)


async def test_a_catalog_that_is_back_is_asked_again(stage: Stage) -> None:
    disc = await stage.disc(stock=1_000)
    async with stage.second_order_service(**QUICK) as (_, second):
        stage.catalog.kill()
        for _ in range(3):
            assert status_of(await stage.place(name(), {disc: 1}, mode=HYBRID, stub=second)) == "PENDING"
        await stage.start(stage.catalog)

        async def answer() -> str:
            order = await answer_of(stage.place(name(), {disc: 1}, mode=HYBRID, stub=second))
            assert isinstance(order, order_pb2.Order)
            return status_of(order)

        await eventually(answer, lambda status: status == "CONFIRMED")
        assert await answer() == "CONFIRMED"
    await stage.books.make_due()
    await stage.promise_kept(disc)


async def test_a_slow_order_database_does_not_speak_against_the_catalog(stage: Stage) -> None:
    disc = await stage.disc(stock=2)
    async with stage.second_order_service(**JUDGING) as (process, second):
        stage.order.pause()
        async with stage.failpoints.trap("order.stock_answered", pid=process.pid) as trap:
            placing = asyncio.ensure_future(stage.place(name(), {disc: 1}, mode=HYBRID, stub=second))
            held = await trap.reached()
            # By now the catalog has answered, and its answer is not written down for longer than a slow catalog may take.
            assert status_of(await placing) == "PENDING"
            held.go()
        stage.order.resume()
        assert status_of(await final(stage, (await placing).id)) == "CONFIRMED"
        assert status_of(await stage.place(name(), {disc: 1}, mode=HYBRID, stub=second)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_orders_that_came_together_and_are_decided_apart_leave_nothing_open(stage: Stage) -> None:
    busy, free = [await stage.disc(stock=9) for _ in range(2)]
    async with stage.second_order_service(HYBRID_BUDGET_MAX_S="20", RECOVERY_AGE_S="60") as (process, second):
        # As above: nobody's recovery has to clear anything away.
        stage.order.pause()

        async def place_together(*discs: str) -> list[str]:
            requests = [stage.request(name(), {disc: 1}, mode=HYBRID) for disc in discs]
            asked = order_pb2.BatchCreateOrdersRequest(requests=requests)
            answer = await second.BatchCreateOrders(asked, timeout=CALL_TIMEOUT_S)
            return [result.order.order_id for result in answer.results]

        async with stage.failpoints.trap("order.stock_answered", pid=process.pid) as trap:
            first = asyncio.ensure_future(place_together(busy))
            before = await trap.reached()
            # One of these has to wait for the first one's disc, the other has not.
            others = asyncio.ensure_future(place_together(busy, free))
            held = [await trap.reached()]
            before.go()
            held.append(await trap.reached())
            for one in held:
                one.go()
            order_ids = [*await first, *await others]
        for order_id in order_ids:
            assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0)
        stage.order.resume()
    await stage.promise_kept(busy, free)
