"""A cancel that overtakes its order, or meets it."""

import asyncio
import random
from uuid import uuid4

import pytest

from recordshop.errors import OrderNotCancellable, OrderNotFound
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import Stage

ROUNDS = 240
ROUNDS_AT_ONCE = 15
DELAY_MAX_S = 0.06


async def test_a_reserve_that_comes_after_the_cancel_takes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    request_id = f"late-{uuid4()}"
    order_id = stage.order_id(request_id)
    async with (
        stage.second_order_service() as (_, second),
        stage.recovery_at_rest(),
        stage.failpoints.trap("order.taken_in") as trap,
    ):
        placing = asyncio.create_task(stage.place(request_id, {disc: 3}))
        held = await trap.reached()
        cancelled = await stage.cancel(order_id, stub=second)
        assert status_of(cancelled) == "CANCELLED"
        assert (await stage.books.on_disk(order_id)).ledger == "RELEASED"
        held.go()
        late = await placing
    assert (late.id, status_of(late)) == (order_id, "CANCELLED")
    assert not [line for line in stage.order._log.tail().splitlines() if "released while" in line and order_id in line]
    await stage.books.nothing_open()
    assert await stage.books.on_disk(order_id) == OnDisk("CANCELLED", "RELEASED", 0)
    assert await stage.books.stock(disc) == 5
    await stage.promise_kept(disc)


@pytest.mark.parametrize("failpoint", ["order.taken_in", "order.stock_answered", "order.decided"])
async def test_an_order_that_is_cancelled_underway_is_answered_as_cancelled(stage: Stage, failpoint: str) -> None:
    disc = await stage.disc(stock=5)
    request_id = f"overtaken-{uuid4()}"
    async with stage.recovery_at_rest(), stage.failpoints.trap(failpoint) as trap:
        placing = asyncio.create_task(stage.place(request_id, {disc: 3}))
        held = await trap.reached()
        assert status_of(await stage.cancel(stage.order_id(request_id))) == "CANCELLED"
        held.go()
        answered = status_of(await placing)
    # What it read before the cancel it may answer; what is on disk is the cancel's.
    assert answered == ("CONFIRMED" if failpoint == "order.decided" else "CANCELLED")
    assert status_of(await stage.client.get_order(stage.order_id(request_id))) == "CANCELLED"
    assert await stage.books.stock(disc) == 5
    await stage.promise_kept(disc)


async def test_a_refusal_that_comes_after_the_cancel_changes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=1)
    request_id = f"refused-late-{uuid4()}"
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.stock_answered") as trap:
        placing = asyncio.create_task(stage.place(request_id, {disc: 3}))
        held = await trap.reached()
        assert status_of(await stage.cancel(stage.order_id(request_id))) == "CANCELLED"
        held.go()
        assert status_of(await placing) == "CANCELLED"
    assert (await stage.books.on_disk(stage.order_id(request_id))).ledger == "DENIED"
    await stage.promise_kept(disc)


async def test_cancels_that_race_confirms_leave_each_order_either_sold_or_given_back(stage: Stage) -> None:
    disc = await stage.disc(stock=ROUNDS // 2)
    turns = asyncio.Semaphore(ROUNDS_AT_ONCE)

    async def cancel_soon(order_id: str) -> Answer:
        await asyncio.sleep(random.uniform(0, DELAY_MAX_S))
        return await answer_of(stage.cancel(order_id))

    async def race(request_id: str) -> tuple[Answer, Answer]:
        async with turns:
            placed, cancelled = await asyncio.gather(
                answer_of(stage.place_at_last(request_id, {disc: 1})), cancel_soon(stage.order_id(request_id))
            )
            return placed, cancelled

    request_ids = [f"race-{uuid4()}" for _ in range(ROUNDS)]
    answers = await asyncio.gather(*map(race, request_ids))
    await stage.books.nothing_open()
    met = 0
    for request_id, (placed, cancelled) in zip(request_ids, answers, strict=True):
        on_disk = await stage.books.on_disk(stage.order_id(request_id))
        match on_disk.order:
            case "CANCELLED":
                assert on_disk.ledger in {"RELEASED", "DENIED"}
                assert told(cancelled)[1] in {"CANCELLED", "OrderCancelling"}
                met += told(placed)[1] == "CANCELLED"
            case "CONFIRMED":
                assert on_disk.ledger == "RESERVED"
                assert isinstance(cancelled, OrderNotFound)
            case _:
                assert (on_disk.order, on_disk.ledger) == ("REJECTED", "DENIED")
                assert isinstance(cancelled, OrderNotFound | OrderNotCancellable)
    assert met, "no cancel met its order underway"
    await stage.promise_kept(disc)


async def test_many_cancels_of_one_order_give_its_copies_back_once(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order = await stage.place(f"cancelled-often-{uuid4()}", {disc: 4})
    answers = await asyncio.gather(*(stage.cancel(order.id) for _ in range(12)))
    assert {(answer.id, status_of(answer)) for answer in answers} == {(order.id, "CANCELLED")}
    assert await stage.books.stock(disc) == 9
    await stage.promise_kept(disc)
