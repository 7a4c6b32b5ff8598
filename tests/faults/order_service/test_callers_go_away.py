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
            # The service has heard of it when it answers a call that came after it on the same connection.
            await stage.shop.order.GetOrder(order_pb2.GetOrderRequest(id=stage.order_id(request_id)), timeout=5)
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
            await stage.shop.order.GetOrder(order_pb2.GetOrderRequest(id=order.id), timeout=5)
            held.go()
            (await cancelled.reached()).go()
        assert (await stage.books.on_disk(order.id)).order == "CANCELLED"
    await stage.promise_kept(disc)


async def test_a_caller_who_hangs_up_takes_nobody_along(stage: Stage) -> None:
    disc = await stage.disc(stock=50)
    request_ids = [f"together-{uuid4()}" for _ in range(20)]
    async with stage.failpoints.trap("order.taken_in") as trap:
        # The first asks twice; one of the two hangs up.
        calls = [
            stage.shop.order.CreateOrder(stage.request(request_id, {disc: 1}), timeout=CALL_TIMEOUT_S)
            for request_id in (request_ids[0], *request_ids)
        ]
        await trap.reached()
        calls[0].cancel()
        assert await calls[0].code() is grpc.StatusCode.CANCELLED
    orders = await asyncio.gather(*calls[1:])
    assert [(order.id, status_of(order)) for order in orders] == [(stage.order_id(r), "CONFIRMED") for r in request_ids]
    assert await stage.books.stock(disc) == 50 - len(request_ids)
    await stage.promise_kept(disc)
