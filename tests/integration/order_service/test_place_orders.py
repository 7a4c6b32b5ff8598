"""PlaceOrders: a stream of messages with orders, each message answered by one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from recordshop.order.v1 import order_pb2
from tests.integration.order_desk import CONFIRMED, OrderDesk, order_id, order_request
from tests.integration.refusals import bad_fields_of
from tests.integration.stock_room import StockRoom, new_id

STREAM_TIMEOUT_S = 30.0
# More than the service has under way for one stream.
MESSAGES = 80


@pytest.fixture(scope="module")
async def customer_id(make_customer: Any) -> str:
    """An active customer, who may buy in all tests."""
    return str((await make_customer()).id)


async def answers(
    orders: OrderDesk, messages: Sequence[Sequence[order_pb2.CreateOrderRequest]]
) -> list[order_pb2.PlaceOrdersResponse]:
    """Sends all messages at once, ends the stream, and reads it to its end."""
    stream = [order_pb2.PlaceOrdersRequest(requests=requests) for requests in messages]
    return [answer async for answer in orders.stub.PlaceOrders(iter(stream), timeout=STREAM_TIMEOUT_S)]


async def test_each_message_is_answered_by_one_in_the_order_of_its_requests(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=1_000, price_cents=300)).id
    messages = [[order_request(customer_id, {disc: 1}) for _ in range(size)] for size in range(1, 11)]
    answered = await answers(orders, messages)
    by_ids = {tuple(placed.request_id for placed in answer.results): answer for answer in answered}
    assert set(by_ids) == {tuple(request.request_id for request in requests) for requests in messages}
    for answer in answered:
        for placed in answer.results:
            assert placed.customer_id == customer_id
            assert placed.result.order == order_pb2.OrderSummary(
                order_id=order_id(customer_id, placed.request_id),
                request_id=placed.request_id,
                status=CONFIRMED,
                total_cents=300,
            )
    assert await stock.left(disc) == 1_000 - sum(range(1, 11))


async def test_more_messages_than_are_taken_at_once_are_all_answered_and_nothing_is_oversold(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=3 * MESSAGES)).id
    messages = [[order_request(customer_id, {disc: 1}) for _ in range(5)] for _ in range(MESSAGES)]
    answered = await answers(orders, messages)
    reasons = [placed.result.error.reason for answer in answered for placed in answer.results]
    assert sorted(reasons) == [""] * (3 * MESSAGES) + ["OUT_OF_STOCK"] * (2 * MESSAGES)
    assert await stock.left(disc) == 0


async def test_an_answer_comes_while_the_stream_is_still_open(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=5)).id
    waiting: asyncio.Queue[order_pb2.PlaceOrdersRequest | None] = asyncio.Queue()

    async def messages() -> AsyncIterator[order_pb2.PlaceOrdersRequest]:
        while (message := await waiting.get()) is not None:
            yield message

    stream = orders.stub.PlaceOrders(messages(), timeout=STREAM_TIMEOUT_S)
    received = aiter(stream)
    for _ in range(3):
        request = order_request(customer_id, {disc: 1})
        waiting.put_nowait(order_pb2.PlaceOrdersRequest(requests=[request]))
        answer = await anext(received)
        assert [placed.request_id for placed in answer.results] == [request.request_id]
    waiting.put_nowait(None)
    assert [answer async for answer in received] == []


async def test_orders_that_are_sent_again_on_another_stream_are_the_same_orders(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=50)).id
    requests = [order_request(customer_id, {disc: 1}) for _ in range(20)]
    first = await answers(orders, [requests])
    assert await answers(orders, [requests]) == first
    assert await stock.left(disc) == 30


async def test_a_bad_order_is_answered_alone_and_a_bad_message_ends_the_stream(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=5)).id
    [answer] = await answers(orders, [[order_request(customer_id, {disc: 0}), order_request(new_id(), {disc: 1})]])
    assert [placed.result.error.reason for placed in answer.results] == ["INVALID_ARGUMENT", "CUSTOMER_NOT_FOUND"]
    for size in (0, 101):
        requests = [order_request(customer_id, {disc: 1})] * size
        assert await bad_fields_of(answers(orders, [requests])) == {"requests"}


async def test_streams_that_are_too_fast_together_wait_and_are_refused_nothing(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=20_000)

    async def stream() -> int:
        messages = [
            order_pb2.PlaceOrdersRequest(requests=[order_request(customer_id, {disc.id: 1}) for _ in range(100)])
            for _ in range(40)
        ]
        answers = orders.stub.PlaceOrders(iter(messages), timeout=60)
        return sum([result.result.HasField("order") async for answer in answers for result in answer.results])

    assert await asyncio.gather(*(stream() for _ in range(4))) == [4_000] * 4
    await orders.agrees(disc.id)
