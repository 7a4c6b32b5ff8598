"""One request_id means one order with the same lines, however often, however fast and in whatever company it is sent."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from recordshop.errors import RequestIdReused
from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of, told
from tests.faults.stage import CALL_TIMEOUT_S, Lines, Stage

ROUNDS = 15
CALLERS = 6


async def batch(stage: Stage, *requests: order_pb2.CreateOrderRequest) -> list[order_pb2.CreateOrderResult]:
    request = order_pb2.BatchCreateOrdersRequest(requests=requests)
    return list((await stage.shop.order.BatchCreateOrders(request, timeout=CALL_TIMEOUT_S)).results)


async def test_another_payload_under_the_same_request_id_is_refused(stage: Stage) -> None:
    disc, other = await stage.disc(stock=9), await stage.disc(stock=9)
    request_id = f"reused-{uuid4()}"
    async with stage.failpoints.trap("order.stock_answered") as trap:
        first = asyncio.create_task(stage.place(request_id, {disc: 1}))
        held = await trap.reached()
        # Orders of the same disc wait for that group; one of another disc does not.
        await refused_payloads(stage, request_id, {other: 1})
        held.go()
        assert status_of(await first) == "CONFIRMED"
    await refused_payloads(stage, request_id, {disc: 2}, {other: 1}, {disc: 1, other: 1})
    assert (await stage.books.stock(disc), await stage.books.stock(other)) == (8, 9)
    await stage.promise_kept(disc, other)


async def refused_payloads(stage: Stage, request_id: str, *payloads: Lines) -> None:
    for payload in payloads:
        with pytest.raises(RequestIdReused) as raised:
            await stage.place(request_id, payload)
        assert raised.value.order_id == stage.order_id(request_id)


async def test_of_two_payloads_at_once_one_is_the_order_and_the_other_is_refused(stage: Stage) -> None:
    disc, other = await stage.disc(stock=100), await stage.disc(stock=100)
    request_ids = [f"contested-{uuid4()}" for _ in range(ROUNDS)]

    async def contest(request_id: str) -> None:
        calls = [answer_of(stage.place(request_id, {one: 1})) for one in (disc, other) * 3]
        answers = [told(answer) for answer in await asyncio.gather(*calls)]
        assert {order_id for order_id, _ in answers} == {stage.order_id(request_id)}
        assert [what for _, what in answers[::2]] != [what for _, what in answers[1::2]]
        assert sorted({what for _, what in answers}) == ["CONFIRMED", "RequestIdReused"]

    await asyncio.gather(*map(contest, request_ids))
    assert await stage.books.stock(disc) + await stage.books.stock(other) == 200 - ROUNDS
    await stage.promise_kept(disc, other)


async def test_equal_requests_at_once_are_one_order(stage: Stage) -> None:
    disc = await stage.disc(stock=ROUNDS + 1)
    for request_id in [f"equal-{uuid4()}" for _ in range(ROUNDS)]:
        orders = await asyncio.gather(*(stage.place(request_id, {disc: 1}) for _ in range(CALLERS)))
        assert {(order.id, status_of(order)) for order in orders} == {(stage.order_id(request_id), "CONFIRMED")}
    assert await stage.books.stock(disc) == 1
    await stage.promise_kept(disc)


async def test_one_request_id_twice_in_a_batch_is_decided_by_the_first(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    request_id = f"twice-{uuid4()}"
    same, other = stage.request(request_id, {disc: 1}), stage.request(request_id, {disc: 2})
    first, again, reused = await batch(stage, same, same, other)
    assert first.order.order_id == stage.order_id(request_id)
    assert first == again
    assert (reused.error.code, reused.error.reason) == (grpc.StatusCode.ALREADY_EXISTS.value[0], "REQUEST_ID_REUSED")
    assert reused.error.metadata["order_id"] == stage.order_id(request_id)
    assert await stage.books.stock(disc) == 8
    await stage.promise_kept(disc)


async def test_one_bad_entry_in_a_batch_hurts_no_other(stage: Stage) -> None:
    disc, gone = await stage.disc(stock=9), str(uuid4())
    good = [stage.request(f"good-{uuid4()}", {disc: 1}) for _ in range(4)]
    bad = [
        stage.request(f"bad-{uuid4()}", {disc: 0}),
        stage.request(f"bad-{uuid4()}", {disc: -7}),
        stage.request("not a request id", {disc: 1}),
        stage.request(f"bad-{uuid4()}", {disc: 1_000}),
        stage.request(f"bad-{uuid4()}", {gone: 1}),
        stage.request(f"bad-{uuid4()}", {disc: 1}, customer_id=str(uuid4())),
    ]
    entries = [entry for pair in zip(bad, [*good, good[0], good[1]], strict=True) for entry in pair]
    results = await batch(stage, *entries)
    assert [result.error.reason for result in results[::2]] == [
        *("INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        *("OUT_OF_STOCK", "DISC_NOT_FOUND", "CUSTOMER_NOT_FOUND"),
    ]
    assert {result.order.status for result in results[1::2]} == {order_pb2.ORDER_STATUS_CONFIRMED}
    assert await stage.books.stock(disc) == 9 - len(good)
    await stage.promise_kept(disc)


async def test_a_batch_larger_than_the_stock_sells_every_copy(stage: Stage) -> None:
    disc = await stage.disc(stock=7)
    results = await batch(stage, *(stage.request(f"crowd-{uuid4()}", {disc: 1}) for _ in range(40)))
    reasons = [result.error.reason for result in results]
    assert sorted(reasons) == [""] * 7 + ["OUT_OF_STOCK"] * 33
    assert await stage.books.stock(disc) == 0
    await stage.promise_kept(disc)


async def test_a_quantity_out_of_bounds_leaves_nothing_behind(stage: Stage) -> None:
    disc = await stage.disc(stock=5_000)
    for quantity in (0, -7, 1_001, 2**31 - 1, -(2**31)):
        request = stage.request(f"bounds-{uuid4()}", {disc: quantity})
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stage.shop.order.CreateOrder(request, timeout=CALL_TIMEOUT_S)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (await stage.books.on_disk(stage.order_id(request.request_id))).order is None
    twice = stage.request(f"bounds-{uuid4()}", {disc: 600})
    twice.lines.append(twice.lines[0])
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stage.shop.order.CreateOrder(twice, timeout=CALL_TIMEOUT_S)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await stage.books.stock(disc) == 5_000


async def test_lines_of_one_disc_are_the_same_payload_as_their_sum(stage: Stage) -> None:
    disc, other = await stage.disc(stock=9), await stage.disc(stock=9)
    request = stage.request(f"sum-{uuid4()}", {disc: 2, other: 1})
    split = stage.request(request.request_id, {other: 1, disc: 1})
    split.lines.append(order_pb2.OrderLineRequest(disc_id=disc, quantity=1))
    first = await stage.shop.order.CreateOrder(request, timeout=CALL_TIMEOUT_S)
    assert await stage.shop.order.CreateOrder(split, timeout=CALL_TIMEOUT_S) == first
    assert await stage.books.stock(disc) == 7
    await stage.promise_kept(disc, other)
