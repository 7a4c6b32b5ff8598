"""Returns that meet each other, a cancel of the whole, an order that is not decided, or a catalog that is away."""

import asyncio
from collections.abc import Awaitable
from uuid import UUID, uuid4

import pytest

from recordshop.errors import (
    DeadlineExceeded,
    NotAccepted,
    OrderNotCancellable,
    OrderNotDecided,
    OrderReturning,
    RequestIdReused,
    ReturnExceedsSale,
)
from recordshop.order.v1 import order_pb2
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import Stage
from tests.faults.waiting import eventually

WRITE_OFF = order_pb2.RETURN_DISPOSITION_WRITE_OFF
STEPS = ("order.return_recorded", "order.stock_returned")
CALLS_AT_ONCE = 24
# The ledger as it never is by itself: it holds less than the order has.
SPOIL = "UPDATE reservations SET returned = 4 WHERE reservation_id = $1"
MEND = "UPDATE reservations SET returned = NULL WHERE reservation_id = $1"


async def sold_order(stage: Stage, disc: str, quantity: int = 5) -> str:
    """Sells an order, and answers its id."""
    return (await stage.place(f"sold-{uuid4()}", {disc: quantity})).id


async def test_nothing_is_returned_of_an_order_that_is_not_decided(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=9), f"undecided-{uuid4()}"
    order_id = stage.order_id(request_id)
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.taken_in") as trap:
        placing = asyncio.create_task(stage.place(request_id, {disc: 5}))
        held = await trap.reached()
        for lines in ({disc: 1}, {disc: 5}, {}):
            refusal = await answer_of(stage.take_back(order_id, lines, disposition=WRITE_OFF))
            assert told(refusal) == (order_id, OrderNotDecided.__name__)
        assert await stage.books.on_disk(order_id) == OnDisk("PENDING", None, 1)
        held.go()
        await placing
    assert status_of(await stage.take_back(order_id, {disc: 1}, disposition=WRITE_OFF)) == "CONFIRMED"
    assert await stage.books.stock(disc) == 4
    await stage.promise_kept(disc)


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_of_the_whole_lets_the_part_that_is_under_way_end_first(stage: Stage, step: str) -> None:
    disc = await stage.disc(stock=9)
    order_id = await sold_order(stage, disc)
    async with (
        stage.second_order_service() as (_, second),
        stage.recovery_at_rest(),
        stage.failpoints.trap(step, pid=stage.order.pid) as trap,
    ):
        part = asyncio.create_task(stage.take_back(order_id, {disc: 2}, disposition=WRITE_OFF, timeout_s=30))
        held = await trap.reached()
        cancelled = await stage.cancel(order_id, stub=second)
        assert status_of(cancelled) == "CANCELLED"
        held.go()
        assert await part == cancelled
    assert await stage.books.on_disk(order_id) == OnDisk("CANCELLED", "RELEASED", 0, (2, 2))
    assert await stage.books.stock(disc) == 7, "the part was written off, and the rest is back"
    await stage.promise_kept(disc)


@pytest.mark.parametrize("step", STEPS)
async def test_a_part_lets_the_part_that_is_under_way_end_first(stage: Stage, step: str) -> None:
    disc = await stage.disc(stock=9)
    order_id = await sold_order(stage, disc)
    async with (
        stage.second_order_service() as (_, second),
        stage.recovery_at_rest(),
        stage.failpoints.trap(step, pid=stage.order.pid) as trap,
    ):
        part = asyncio.create_task(stage.take_back(order_id, {disc: 3}, "first", timeout_s=30))
        held = await trap.reached()
        assert isinstance(
            await answer_of(stage.take_back(order_id, {disc: 3}, "second", stub=second)), ReturnExceedsSale
        )
        last = await stage.take_back(order_id, {disc: 2}, "third", stub=second)
        assert status_of(last) == "CANCELLED"
        held.go()
        assert await part == last
    assert await stage.books.stock(disc) == 9
    await stage.promise_kept(disc)


@pytest.mark.parametrize("step", STEPS)
async def test_an_order_service_that_slept_while_its_return_was_finished_changes_nothing(
    stage: Stage, step: str
) -> None:
    disc = await stage.disc(stock=9)
    order_id = await sold_order(stage, disc)
    async with (
        stage.second_order_service() as (_, second),
        stage.failpoints.trap(step, pid=stage.order.pid) as trap,
    ):
        part = asyncio.create_task(stage.take_back(order_id, {disc: 2}, timeout_s=30))
        held = await trap.reached()
        stage.order.pause()
        await stage.books.nothing_open()
        assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0, (2, 2))
        more = await stage.take_back(order_id, {disc: 1}, "more", stub=second)
        held.go()
        stage.order.resume()
        assert await part == more
    assert await stage.client.get_order(order_id) == more
    assert await stage.books.stock(disc) == 7
    await stage.promise_kept(disc)


async def test_equal_returns_to_two_services_at_once_are_one(stage: Stage) -> None:
    disc = await stage.disc(stock=100)
    async with stage.second_order_service() as (_, second):
        for quantity in (2, 5):
            for order_id in [await sold_order(stage, disc) for _ in range(10)]:
                stubs = (stage.shop.order, second) * 3
                answers = await asyncio.gather(*(stage.take_back(order_id, {disc: quantity}, stub=s) for s in stubs))
                assert {(answer.id, answer.lines[0].returned_quantity) for answer in answers} == {(order_id, quantity)}
    assert await stage.books.stock(disc) == 100 - 10 * 3
    await stage.promise_kept(disc)


async def test_of_two_returns_at_once_under_one_request_id_one_is_made_and_the_other_is_refused(stage: Stage) -> None:
    disc = await stage.disc(stock=100)
    made = 0
    async with stage.second_order_service() as (_, second):
        for order_id in [await sold_order(stage, disc) for _ in range(12)]:
            calls = [stage.take_back(order_id, {disc: 1}), stage.take_back(order_id, {disc: 2}, stub=second)]
            answers = await asyncio.gather(*map(answer_of, calls))
            assert sorted(what for _, what in map(told, answers)) == ["CONFIRMED", RequestIdReused.__name__]
            made += next(answer.lines[0].returned_quantity for answer in answers if isinstance(answer, order_pb2.Order))
    assert await stage.books.stock(disc) == 100 - 12 * 5 + made
    await stage.promise_kept(disc)


async def test_returns_cancels_and_deliveries_at_once_give_each_copy_back_once(stage: Stage) -> None:
    disc, other = sorted([await stage.disc(stock=200), await stage.disc(stock=200)])
    placed = [(await stage.place(f"mixed-{uuid4()}", {disc: 5, other: 5})).id for _ in range(30)]
    turns = asyncio.Semaphore(CALLS_AT_ONCE)

    async def answer_in_turn(call: Awaitable[order_pb2.Order]) -> Answer:
        async with turns:
            return await answer_of(call)

    async with stage.second_order_service() as (_, second):
        calls = []
        for number, order_id in enumerate(placed):
            lines = ({disc: 2}, {other: 3}, {disc: 4, other: 1})
            calls += [
                stage.take_back(order_id, part, f"part-{index}", disposition=index % 2 + 1, stub=stub)
                for index, part in enumerate(lines)
                for stub in (stage.shop.order, second)
            ]
            if number % 3 == 0:
                calls.append(stage.cancel(order_id, stub=second))
        answers, _ = await asyncio.gather(
            asyncio.gather(*map(answer_in_turn, calls)), asyncio.gather(*(stage.adjust(disc, 1) for _ in range(20)))
        )
    refusals = {OrderNotCancellable.__name__, ReturnExceedsSale.__name__}
    assert {what for _, what in map(told, answers)} <= {"CONFIRMED", "CANCELLED", *refusals}
    await stage.promise_kept(disc, other)


async def test_a_return_while_the_catalog_is_down_is_made_without_its_caller(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order_id = await sold_order(stage, disc)
    stage.catalog.kill()
    assert isinstance(await answer_of(stage.take_back(order_id, {disc: 2})), OrderReturning)
    assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 1)
    # Nothing else is begun while it is held up.
    for call in (stage.cancel(order_id), stage.take_back(order_id, {disc: 1}, "another")):
        assert type(await answer_of(call)) is NotAccepted
    await stage.start(stage.catalog)
    await stage.books.nothing_open()
    assert (await stage.client.get_order(order_id)).lines[0].returned_quantity == 2
    assert await stage.books.stock(disc) == 6
    await stage.promise_kept(disc)


async def test_a_return_goes_on_without_the_caller_whose_deadline_ended(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order_id = await sold_order(stage, disc)
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.return_recorded") as trap:
        call = asyncio.create_task(answer_of(stage.take_back(order_id, {disc: 2}, timeout_s=1.0)))
        held = await trap.reached()
        assert isinstance(await call, DeadlineExceeded | OrderReturning)
        held.go()
        await eventually(
            lambda: stage.books.on_disk(order_id), lambda found: found.returned[1] == 2 or found.journal == 1
        )
    await stage.books.nothing_open()
    assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0, (2, 2))
    await stage.promise_kept(disc)


async def test_a_return_that_the_ledger_cannot_make_is_refused_and_stays_so(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order_id = await sold_order(stage, disc)
    await stage.books.catalog.execute(SPOIL, UUID(order_id))
    for _ in range(2):
        assert told(await answer_of(stage.take_back(order_id, {disc: 2}))) == (order_id, ReturnExceedsSale.__name__)
    assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0, (0, 4))
    assert [line for line in stage.order._log.tail().splitlines() if "return refused" in line and order_id in line]
    await stage.books.catalog.execute(MEND, UUID(order_id))
    assert isinstance(await answer_of(stage.take_back(order_id, {disc: 2})), ReturnExceedsSale)
    assert (await stage.take_back(order_id, {disc: 2}, "another")).lines[0].returned_quantity == 2
    await stage.promise_kept(disc)
