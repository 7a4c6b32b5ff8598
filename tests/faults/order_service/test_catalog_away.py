"""The catalog is gone, or answers too late."""

import asyncio
from uuid import uuid4

import pytest

from recordshop.errors import OrderCancelling, OrderPending, OutOfStock
from tests.faults.answers import answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import Stage

ORDERS = 6


async def test_an_order_placed_while_the_catalog_is_down_is_confirmed_without_its_caller(stage: Stage) -> None:
    disc = await stage.disc(stock=10)
    request_id = f"away-{uuid4()}"
    stage.catalog.kill()
    with pytest.raises(OrderPending) as raised:
        await stage.place(request_id, {disc: 3})
    assert raised.value.order_id == stage.order_id(request_id)
    assert status_of(await stage.client.get_order(stage.order_id(request_id))) == "PENDING"
    await stage.start(stage.catalog)

    await stage.books.nothing_open()
    order = await stage.client.get_order(stage.order_id(request_id))
    assert (status_of(order), order.total_cents, order.lines[0].quantity) == ("CONFIRMED", 3 * 2_500, 3)
    await stage.promise_kept(disc)


async def test_an_order_cancelled_while_the_catalog_is_down_gives_its_copies_back_without_its_caller(
    stage: Stage,
) -> None:
    disc = await stage.disc(stock=10)
    confirmed = await stage.place(f"away-{uuid4()}", {disc: 3})
    undecided = f"away-{uuid4()}"
    stage.catalog.kill()
    with pytest.raises(OrderPending):
        await stage.place(undecided, {disc: 2})
    for order_id in (confirmed.id, stage.order_id(undecided)):
        with pytest.raises(OrderCancelling) as raised:
            await stage.cancel(order_id)
        assert raised.value.order_id == order_id
        assert status_of(await stage.client.get_order(order_id)) == "CANCELLING"
    await stage.start(stage.catalog)

    await stage.books.nothing_open()
    for order_id in (confirmed.id, stage.order_id(undecided)):
        assert await stage.books.on_disk(order_id) == OnDisk("CANCELLED", "RELEASED", 0)
    assert await stage.books.stock(disc) == 10
    await stage.promise_kept(disc)


async def test_a_catalog_that_wakes_after_the_orders_gave_up_sells_each_copy_once(stage: Stage) -> None:
    disc = await stage.disc(stock=ORDERS // 2)
    request_ids = [f"frozen-{uuid4()}" for _ in range(ORDERS)]
    stage.catalog.pause()
    answers = await asyncio.gather(*(answer_of(stage.place(request_id, {disc: 1})) for request_id in request_ids))
    assert [told(answer) for answer in answers] == [(stage.order_id(r), "OrderPending") for r in request_ids]
    # What was sent is still in its ears when it wakes, and so is what recovery asks meanwhile.
    stage.catalog.resume()

    await stage.books.nothing_open()
    ends = [status_of(await stage.client.get_order(stage.order_id(request_id))) for request_id in request_ids]
    assert sorted(ends) == ["CONFIRMED"] * (ORDERS // 2) + ["REJECTED"] * (ORDERS // 2)
    assert await stage.books.stock(disc) == 0
    await stage.promise_kept(disc)


async def test_a_refusal_that_came_after_the_order_gave_up_stays_a_refusal_after_a_restock(stage: Stage) -> None:
    disc = await stage.disc(stock=1)
    request_id = f"refused-{uuid4()}"
    async with stage.failpoints.trap("catalog.decided") as trap:
        with pytest.raises(OrderPending):
            await stage.place(request_id, {disc: 2})
        await trap.reached()
        assert (await stage.books.on_disk(stage.order_id(request_id))).ledger == "DENIED"
        await stage.adjust(disc, 50)

    await stage.books.nothing_open()
    with pytest.raises(OutOfStock) as raised:
        await stage.place(request_id, {disc: 2})
    assert raised.value.lines[disc] == (2, 1)
    assert await stage.books.stock(disc) == 51
    await stage.promise_kept(disc)
