"""Callers whose deadline ends, or who hang up: what was begun for them ends all the same."""

import asyncio
import random
from uuid import uuid4

import grpc

from recordshop.errors import DeadlineExceeded
from recordshop.order.v1 import order_pb2
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.stage import CALL_TIMEOUT_S, Stage

CALLS = 400
CALLS_AT_ONCE = 10
DEADLINE_MAX_S = 0.1
CANCELS = 100
LARGEST_GROUP = "SELECT max(cardinality(order_ids)) FROM open_work"


async def heard(stage: Stage) -> None:
    """Waits until the service has taken up what was sent to it before."""
    await stage.shop.order.ListOrders(order_pb2.ListOrdersRequest(page_size=1), timeout=CALL_TIMEOUT_S)


async def test_deadlines_that_end_midway_leave_every_order_decided_once(stage: Stage) -> None:
    disc, other = await stage.disc(stock=CALLS), await stage.disc(stock=CALLS // 2)
    request_ids = [f"hasty-{uuid4()}" for _ in range(CALLS)]
    turns = asyncio.Semaphore(CALLS_AT_ONCE)

    async def hasty(request_id: str) -> Answer:
        async with turns:
            timeout_s = random.uniform(0.001, DEADLINE_MAX_S)
            return await answer_of(stage.place(request_id, {disc: 1, other: 1}, timeout_s=timeout_s))

    first = await asyncio.gather(*map(hasty, request_ids))
    await stage.books.nothing_open()
    late = [r for r, answer in zip(request_ids, first, strict=True) if isinstance(answer, DeadlineExceeded)]
    taken_in = [r for r in late if (await stage.books.on_disk(stage.order_id(r))).order in {"CONFIRMED", "REJECTED"}]
    assert taken_in, "no deadline ended midway"
    last = await asyncio.gather(*(answer_of(stage.place_at_last(r, {disc: 1, other: 1})) for r in request_ids))
    assert [told(answer)[0] for answer in last] == [stage.order_id(request_id) for request_id in request_ids]
    assert sum(told(answer)[1] == "CONFIRMED" for answer in last) == CALLS // 2
    assert await stage.books.stock(other) == 0
    await stage.promise_kept(disc, other)


async def test_cancels_whose_deadline_ends_midway_give_the_copies_back_once(stage: Stage) -> None:
    disc = await stage.disc(stock=CANCELS)
    request_ids = [f"hasty-cancel-{uuid4()}" for _ in range(CANCELS)]
    await asyncio.gather(*(stage.place(request_id, {disc: 1}) for request_id in request_ids))
    order_ids = [stage.order_id(request_id) for request_id in request_ids]
    await asyncio.gather(
        *(answer_of(stage.cancel(order_id, timeout_s=random.uniform(0.001, DEADLINE_MAX_S))) for order_id in order_ids)
    )
    await asyncio.gather(*(stage.cancel_at_last(order_id) for order_id in order_ids))
    assert await stage.books.stock(disc) == CANCELS
    await stage.promise_kept(disc)


async def test_an_order_goes_on_without_the_caller_who_hung_up(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    request_id = f"hung-up-{uuid4()}"
    traps = stage.failpoints
    async with stage.recovery_at_rest(), traps.trap("order.decided") as decided:
        async with traps.trap("order.taken_in") as taken_in:
            call = stage.shop.order.CreateOrder(stage.request(request_id, {disc: 2}), timeout=CALL_TIMEOUT_S)
            held = await taken_in.reached()
            call.cancel()
            assert await call.code() is grpc.StatusCode.CANCELLED
            await heard(stage)
            held.go()
            # Recovery rests: nobody else drives the order there.
            (await decided.reached()).go()
        on_disk = await stage.books.on_disk(stage.order_id(request_id))
        assert (on_disk.order, on_disk.ledger) == ("CONFIRMED", "RESERVED")
    await stage.promise_kept(disc)


async def test_a_cancel_goes_on_without_the_caller_who_hung_up(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    order = await stage.place(f"hung-up-{uuid4()}", {disc: 2})
    traps = stage.failpoints
    async with stage.recovery_at_rest(), traps.trap("order.cancelled") as cancelled:
        async with traps.trap("order.stock_released") as released:
            request = order_pb2.CancelOrderRequest(order_id=order.id, request_id="cancel")
            call = stage.shop.order.CancelOrder(request, timeout=CALL_TIMEOUT_S)
            held = await released.reached()
            call.cancel()
            assert await call.code() is grpc.StatusCode.CANCELLED
            await heard(stage)
            held.go()
            (await cancelled.reached()).go()
        assert (await stage.books.on_disk(order.id)).order == "CANCELLED"
    await stage.promise_kept(disc)


async def test_a_caller_who_hangs_up_takes_nobody_along(stage: Stage) -> None:
    disc = await stage.disc(stock=50)
    request_ids = [f"together-{uuid4()}" for _ in range(20)]
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.taken_in") as trap:
        ahead = asyncio.create_task(stage.place(f"ahead-{uuid4()}", {disc: 1}))
        held = await trap.reached()
        # These wait for the group that is under way, and are the next one together. The first of them asks twice.
        calls = [
            stage.shop.order.CreateOrder(stage.request(request_id, {disc: 1}), timeout=CALL_TIMEOUT_S)
            for request_id in (request_ids[0], *request_ids)
        ]
        await asyncio.sleep(0)
        await heard(stage)
        held.go()
        held = await trap.reached()
        assert await stage.books.orders.fetchval(LARGEST_GROUP) == len(request_ids)
        for call in (calls[0], calls[len(calls) // 2]):
            call.cancel()
            assert await call.code() is grpc.StatusCode.CANCELLED
        await heard(stage)
        held.go()
        answered = [*calls[1 : len(calls) // 2], *calls[len(calls) // 2 + 1 :]]
        assert {status_of(order) for order in await asyncio.gather(*answered)} == {"CONFIRMED"}
    assert status_of(await ahead) == "CONFIRMED"
    orders = [await stage.client.get_order(stage.order_id(request_id)) for request_id in request_ids]
    assert {status_of(order) for order in orders} == {"CONFIRMED"}
    assert await stage.books.stock(disc) == 50 - 1 - len(request_ids)
    await stage.promise_kept(disc)
