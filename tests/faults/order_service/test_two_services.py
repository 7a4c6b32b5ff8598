"""Two order services, each with its recovery, on one journal; and one that sleeps through what the other does."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of
from tests.faults.books import OnDisk
from tests.faults.stage import Stage
from tests.faults.waiting import eventually

ORDERS = 8


async def left_open(stage: Stage, disc: str) -> dict[str, str]:
    """Kills the service with orders under way at three different places, and answers how each must end, by order id."""
    cancelled, taken_in, reserved = ([f"two-{uuid4()}" for _ in range(ORDERS)] for _ in range(3))
    await asyncio.gather(*(stage.place(request_id, {disc: 1}) for request_id in cancelled))
    traps = stage.failpoints
    async with (
        stage.recovery_at_rest(),
        traps.trap("order.taken_in") as taken,
        traps.trap("order.stock_answered") as answered,
        traps.trap("order.marked_cancelling") as cancels,
    ):
        tasks = [asyncio.ensure_future(stage.place_together(reserved, {disc: 1}))]
        (await taken.reached()).go()
        await answered.reached()
        tasks.append(asyncio.ensure_future(stage.place_together(taken_in, {disc: 1})))
        await taken.reached()
        cancels_sent = [answer_of(stage.cancel(stage.order_id(request_id))) for request_id in cancelled]
        cancelling = [asyncio.create_task(call) for call in cancels_sent]
        for _ in cancelled:
            held = await cancels.reached()
        held.die()
        await stage.died(stage.order)
    await asyncio.gather(*tasks, *cancelling, return_exceptions=True)
    ends = dict.fromkeys(map(stage.order_id, cancelled), "CANCELLED")
    return ends | dict.fromkeys(map(stage.order_id, (*taken_in, *reserved)), "CONFIRMED")


async def test_two_recoveries_that_drive_the_same_orders_settle_each_once(stage: Stage) -> None:
    disc = await stage.disc(stock=100)
    ends = await left_open(stage, disc)
    await stage.books.make_due()
    async with AsyncExitStack() as stack:
        async with stage.failpoints.trap("order.stock_answered") as trap:
            second, _ = await stack.enter_async_context(stage.second_order_service())
            await eventually(lambda: stage.books.all_claimed(list(ends)), bool)
            # Whatever the first one is held with now, the second one is held with too, or waits for its turn with it.
            await stage.start(stage.order)
            while (await trap.reached()).pid == second.pid:
                pass
        await stage.books.nothing_open()
    assert {order_id: status_of(await stage.client.get_order(order_id)) for order_id in ends} == ends
    assert await stage.books.stock(disc) == 100 - 2 * ORDERS
    await stage.promise_kept(disc)


async def test_an_order_service_that_slept_while_its_order_was_finished_changes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    request_id = f"slept-{uuid4()}"
    order_id = stage.order_id(request_id)
    async with (
        stage.second_order_service() as (_, stub),
        stage.failpoints.trap("order.stock_answered", pid=stage.order.pid) as trap,
    ):
        placing = asyncio.create_task(stage.place(request_id, {disc: 3}, timeout_s=30))
        held = await trap.reached()
        stage.order.pause()
        await stage.books.nothing_open()
        assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0)
        assert status_of(await stage.cancel(order_id, stub=stub)) == "CANCELLED"
        cancelled = await stub.GetOrder(order_pb2.GetOrderRequest(id=order_id), timeout=10)
        held.go()
        stage.order.resume()
        woken = await placing
    assert woken == cancelled
    assert await stage.client.get_order(order_id) == cancelled
    assert await stage.books.on_disk(order_id) == OnDisk("CANCELLED", "RELEASED", 0)
    assert await stage.books.stock(disc) == 9
    await stage.promise_kept(disc)


async def test_an_order_service_that_slept_while_its_cancel_was_finished_changes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order = await stage.place(f"slept-{uuid4()}", {disc: 3})
    async with (
        stage.second_order_service() as (_, stub),
        stage.failpoints.trap("order.stock_released", pid=stage.order.pid) as trap,
    ):
        cancelling = asyncio.create_task(stage.cancel(order.id, timeout_s=30))
        held = await trap.reached()
        stage.order.pause()
        await stage.books.nothing_open()
        cancelled = await stub.GetOrder(order_pb2.GetOrderRequest(id=order.id), timeout=10)
        assert status_of(cancelled) == "CANCELLED"
        held.go()
        stage.order.resume()
        assert await cancelling == cancelled
    assert await stage.client.get_order(order.id) == cancelled
    assert await stage.books.stock(disc) == 9
    await stage.promise_kept(disc)


async def test_an_order_service_that_slept_before_it_asked_for_the_stock_takes_it_once(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    request_id = f"slept-{uuid4()}"
    async with stage.second_order_service(), stage.failpoints.trap("order.taken_in", pid=stage.order.pid) as trap:
        placing = asyncio.create_task(stage.place(request_id, {disc: 3}, timeout_s=30))
        held = await trap.reached()
        stage.order.pause()
        await stage.books.nothing_open()
        held.go()
        stage.order.resume()
        woken = await placing
    assert (woken.id, status_of(woken)) == (stage.order_id(request_id), "CONFIRMED")
    assert await stage.books.stock(disc) == 6
    await stage.promise_kept(disc)


async def test_a_recovery_that_slept_over_its_lease_changes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=100)
    ends = await left_open(stage, disc)
    async with stage.failpoints.trap("order.stock_answered") as trap:
        await stage.start(stage.order)
        held = await trap.reached()
        assert held.pid == stage.order.pid
        stage.order.pause()
    async with stage.second_order_service() as (_, stub):
        await stage.books.nothing_open()
        orders = [await stub.GetOrder(order_pb2.GetOrderRequest(id=order_id), timeout=10) for order_id in ends]
        assert {order.id: status_of(order) for order in orders} == ends
        stage.order.resume()
        # Its sweep goes on to its end, and to the next one.
        async with stage.failpoints.trap("recovery.claimed", pid=stage.order.pid) as sweep:
            await sweep.reached()
    for order in orders:
        assert await stage.client.get_order(order.id) == order
    assert await stage.books.stock(disc) == 100 - 2 * ORDERS
    await stage.promise_kept(disc)


async def test_equal_requests_to_two_services_at_once_are_one_order(stage: Stage) -> None:
    disc = await stage.disc(stock=40)
    async with stage.second_order_service() as (_, stub):
        for request_id in [f"both-{uuid4()}" for _ in range(20)]:
            calls = [stage.place(request_id, {disc: 1}, stub=one) for one in (stage.shop.order, stub) * 2]
            orders = await asyncio.gather(*calls)
            assert {(order.id, status_of(order)) for order in orders} == {(stage.order_id(request_id), "CONFIRMED")}
    assert await stage.books.stock(disc) == 20
    await stage.promise_kept(disc)
