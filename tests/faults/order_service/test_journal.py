"""The journal of open work: what it holds, whose it is, and when a row goes."""

import asyncio
from uuid import UUID, uuid4

import pytest

from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of
from tests.faults.books import OnDisk
from tests.faults.stage import CALL_TIMEOUT_S, Stage
from tests.faults.waiting import eventually


async def left_pending(stage: Stage, disc: str) -> str:
    """Kills the service with an order taken in, and answers the order's id."""
    request_id = f"journal-{uuid4()}"
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.taken_in") as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
        (await trap.reached()).die()
        await stage.died(stage.order)
    await placing
    return stage.order_id(request_id)


@pytest.mark.parametrize("ahead_s", [3_600, 10 * 365 * 86_400])
async def test_work_whose_next_attempt_lies_in_a_far_future_is_recovered_now(stage: Stage, ahead_s: int) -> None:
    disc = await stage.disc(stock=9)
    order_id = await left_pending(stage, disc)
    # As if the database's clock had been set back since the row was written.
    await stage.books.orders.execute(
        "UPDATE open_work SET next_attempt_time = now() + $2 * interval '1 second' WHERE $1 = ANY (order_ids)",
        UUID(order_id),
        ahead_s,
    )
    await stage.start(stage.order)
    await stage.books.nothing_open()
    assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0)
    await stage.promise_kept(disc)


async def test_work_that_cannot_be_done_yet_waits_longer_each_time_but_never_for_long(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order_id = await left_pending(stage, disc)
    stage.catalog.kill()
    await stage.start(stage.order)

    async def attempts() -> int:
        return int((await stage.books.work(order_id))[0]["attempts"])

    await eventually(attempts, lambda count: count >= 3)
    [ahead] = await stage.books.orders.fetch("SELECT next_attempt_time - now() AS time FROM open_work")
    assert ahead["time"].total_seconds() <= 1.5
    assert await stage.books.on_disk(order_id) == OnDisk("PENDING", None, 1)
    await stage.start(stage.catalog)
    await stage.books.nothing_open()
    assert status_of(await stage.client.get_order(order_id)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_a_row_stays_in_the_journal_while_its_order_is_open(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order_id = await left_pending(stage, disc)
    traps = stage.failpoints
    async with traps.trap("recovery.settled") as settled, traps.trap("order.marked_cancelling") as marked:
        await stage.start(stage.order)
        recovery = await settled.reached()
        [row] = await stage.books.work(order_id)
        # The order is settled; before recovery has closed its row, a cancel opens it again.
        cancelling = asyncio.create_task(stage.cancel(order_id))
        await marked.reached()
        async with traps.trap("recovery.claimed") as next_sweep:
            recovery.go()
            await next_sweep.reached()
            rows = {work["id"] for work in await stage.books.work(order_id)}
            assert len(rows) == 2
            assert row["id"] in rows, "recovery closed a row whose order is open"
    assert status_of(await cancelling) == "CANCELLED"
    await stage.promise_kept(disc)


async def test_a_confirm_that_comes_after_the_cancels_mark_leaves_the_journal_as_it_is(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    request_id = f"journal-{uuid4()}"
    order_id, traps = stage.order_id(request_id), stage.failpoints
    async with (
        stage.recovery_at_rest(),
        traps.trap("order.stock_answered") as answered,
        traps.trap("order.marked_cancelling") as marked,
        traps.trap("order.decided") as decided,
    ):
        placing = asyncio.create_task(stage.place(request_id, {disc: 2}))
        confirm = await answered.reached()
        cancelling = asyncio.create_task(stage.cancel(order_id))
        await marked.reached()
        confirm.go()
        await decided.reached()
        assert await stage.books.on_disk(order_id) == OnDisk("CANCELLING", "RESERVED", 2)
    assert {status_of(await placing), status_of(await cancelling)} == {"CANCELLED"}
    assert await stage.books.stock(disc) == 9
    await stage.promise_kept(disc)


async def test_the_row_of_a_group_stays_while_one_of_its_orders_is_open(stage: Stage) -> None:
    disc, locked = await stage.disc(stock=9), await stage.disc(stock=9)
    slow, quick = stage.request(f"slow-{uuid4()}", {disc: 1, locked: 1}), stage.request(f"quick-{uuid4()}", {disc: 1})
    slow_id, quick_id = stage.order_id(slow.request_id), stage.order_id(quick.request_id)
    batch = order_pb2.BatchCreateOrdersRequest(requests=[slow, quick])
    # This one waits for longer than the catalog waits for a lock.
    async with stage.second_order_service(CATALOG_TIMEOUT_S="8") as (_, stub), stage.recovery_at_rest():
        async with stage.books.catalog.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM discs WHERE id = $1 FOR UPDATE", UUID(locked))
            response = await stub.BatchCreateOrders(batch, timeout=CALL_TIMEOUT_S)
        assert [result.error.reason for result in response.results] == ["ORDER_PENDING", ""]
        assert await stage.books.on_disk(quick_id) == OnDisk("CONFIRMED", "RESERVED", 1)
        assert await stage.books.on_disk(slow_id) == OnDisk("PENDING", None, 1)
    await stage.books.nothing_open()
    assert await stage.books.on_disk(slow_id) == OnDisk("CONFIRMED", "RESERVED", 0)
    await stage.promise_kept(disc, locked)


async def test_an_order_set_back_by_hand_after_its_release_ends_cancelled(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order = await stage.place(f"set-back-{uuid4()}", {disc: 2})
    await stage.cancel(order.id)
    await stage.books.orders.execute("UPDATE orders SET status = 'PENDING' WHERE id = $1", UUID(order.id))
    replayed = await stage.place(order.request_id, {disc: 2})
    assert (replayed.id, status_of(replayed)) == (order.id, "CANCELLED")
    assert "released while pending" in stage.order._log.tail()
    assert await stage.books.stock(disc) == 9
    await stage.promise_kept(disc)
