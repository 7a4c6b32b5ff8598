"""What is expected to be sold out goes the short way; copies that come, and a catalog that goes, meet it there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from recordshop.errors import OrderPending, OutOfStock
from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import Stage

ROUNDS = 40
REFUSED = 5


def new_id() -> str:
    return f"sold-out-{uuid4()}"


async def was_written_once(stage: Stage, request_id: str) -> bool:
    """Tells whether an order never was PENDING: a decision that comes after the insert has a later time."""
    order = await stage.client.get_order(stage.order_id(request_id))
    return order.create_time == order.update_time


@pytest.mark.parametrize("failpoint", ["catalog.denied", "order.denied"])
async def test_copies_that_come_after_the_denial_change_nothing_for_it(stage: Stage, failpoint: str) -> None:
    disc, request_id = await stage.disc(stock=1), new_id()
    await stage.sell_out(disc, 2)
    async with stage.failpoints.trap(failpoint) as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
        held = await trap.reached()
        assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk(None, "DENIED", 0)
        await stage.adjust(disc, 10)
        held.go()
        refused = [await placing]
    refused += [await answer_of(stage.place(request_id, {disc: 2})) for _ in range(2)]
    for answer in refused:
        assert isinstance(answer, OutOfStock)
        assert answer.lines == {disc: (2, 1)}
    assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk("REJECTED", "DENIED", 0)
    assert [status_of(await stage.place(new_id(), {disc: 2})) for _ in range(2)] == ["CONFIRMED"] * 2
    assert await stage.books.stock(disc) == 7
    await stage.promise_kept(disc)


async def test_copies_that_come_before_the_denial_are_sold(stage: Stage) -> None:
    disc, request_ids = await stage.disc(stock=1), [new_id() for _ in range(3)]
    await stage.sell_out(disc, 2)
    async with stage.failpoints.trap("order.customer_known") as trap:
        placing = asyncio.create_task(stage.place_together(request_ids, {disc: 2}))
        held = await trap.reached()
        # The orders are known to go the short way by now, and nobody has asked the catalog yet.
        await stage.adjust(disc, 5)
        held.go()
        results = await placing
    assert [result.order.status for result in results] == [order_pb2.ORDER_STATUS_CONFIRMED] * 3
    assert await stage.books.stock(disc) == 0
    await stage.promise_kept(disc)


async def test_copies_that_go_after_an_order_was_not_denied_are_missed_on_the_usual_way(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=2), new_id()
    await stage.sell_out(disc, 3)
    async with stage.failpoints.trap("order.denied") as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
        held = await trap.reached()
        assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk(None, None, 0)
        # There were enough when it asked; somebody else has them before it is taken in.
        await stage.adjust(disc, -1)
        held.go()
        answer = await placing
    assert isinstance(answer, OutOfStock)
    assert answer.lines == {disc: (2, 1)}
    assert not await was_written_once(stage, request_id)
    await stage.promise_kept(disc)


async def test_a_denial_whose_answer_did_not_come_in_time_is_heard_of_on_the_usual_way(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=1), new_id()
    await stage.sell_out(disc, 2)
    async with stage.failpoints.trap("catalog.denied") as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
        await trap.reached()
        await stage.adjust(disc, 50)
        answer = await placing
    assert isinstance(answer, OutOfStock)
    assert answer.lines == {disc: (2, 1)}
    assert not await was_written_once(stage, request_id)
    assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk("REJECTED", "DENIED", 0)
    await stage.promise_kept(disc)


@pytest.mark.parametrize("away", ["down", "frozen"])
async def test_without_the_catalog_an_order_of_what_was_sold_out_waits_as_any_other(stage: Stage, away: str) -> None:
    disc, request_ids = await stage.disc(stock=1), [new_id() for _ in range(4)]
    await stage.sell_out(disc, 2)
    if away == "down":
        stage.catalog.kill()
    else:
        stage.catalog.pause()
    answers = await asyncio.gather(
        *(answer_of(stage.place(request_id, {disc: 1 + turn % 2})) for turn, request_id in enumerate(request_ids))
    )
    assert {type(answer) for answer in answers} == {OrderPending}
    # When a frozen one wakes, the question whether to deny them is still in its ears.
    await stage.stand_up()
    await stage.books.nothing_open()
    ends = [status_of(await stage.client.get_order(stage.order_id(request_id))) for request_id in request_ids]
    assert sorted(ends) == ["CONFIRMED", "REJECTED", "REJECTED", "REJECTED"]
    assert [ends[1], ends[3]] == ["REJECTED", "REJECTED"]
    after = [
        told(await answer_of(stage.place(request_id, {disc: 1 + turn % 2})))[1]
        for turn, request_id in enumerate(request_ids)
    ]
    assert after == ["OutOfStock" if end == "REJECTED" else end for end in ends]
    await stage.promise_kept(disc)


@asynccontextmanager
async def others_who_are_refused(stage: Stage, disc: str) -> AsyncIterator[list[str]]:
    """Keeps asking for more copies than there ever are, alone and in batches, and answers the request ids that were refused so far."""
    refused: list[str] = []
    stop = asyncio.Event()

    async def ask_alone() -> None:
        while not stop.is_set():
            request_id = new_id()
            answer = await answer_of(stage.place(request_id, {disc: 1_000}))
            assert isinstance(answer, OutOfStock), answer
            refused.append(request_id)

    async def ask_together() -> None:
        while not stop.is_set():
            request_ids = [new_id() for _ in range(20)]
            results = await stage.place_together(request_ids, {disc: 1_000})
            assert {result.error.reason for result in results} == {"OUT_OF_STOCK"}
            refused.extend(request_ids)

    others = [asyncio.create_task(ask()) for ask in (*[ask_alone] * REFUSED, ask_together)]
    try:
        yield refused
    finally:
        stop.set()
        await asyncio.gather(*others)


async def test_nobody_who_begins_after_a_delivery_is_refused_for_lack_of_its_copies(stage: Stage) -> None:
    disc = await stage.disc(stock=0)
    await stage.sell_out(disc, 1)
    async with stage.second_order_service() as (_, stub), others_who_are_refused(stage, disc) as refused:
        for turn in range(ROUNDS):
            quantity = 1 + turn % 3
            await stage.adjust(disc, quantity)
            order = await stage.place(new_id(), {disc: quantity}, stub=stub if turn % 4 == 3 else None)
            assert status_of(order) == "CONFIRMED"
            # And there is nothing for the next one, who is told so at once.
            answer = await answer_of(stage.place(new_id(), {disc: 1}))
            assert isinstance(answer, OutOfStock)
            assert answer.lines == {disc: (1, 0)}
    assert await stage.books.stock(disc) == 0
    assert sum([await was_written_once(stage, request_id) for request_id in refused[::20]]) > ROUNDS // 8
    await stage.promise_kept(disc)
