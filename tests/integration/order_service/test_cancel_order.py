"""CancelOrder: copies come back exactly once, and the order stays cancelled."""

import asyncio
from typing import Any

import grpc
import pytest

from recordshop.customer.v1 import customer_pb2
from tests.integration.order_desk import CANCELLED, CONFIRMED, REJECTED, OrderDesk, order_id
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import RELEASED, StockRoom, new_id


@pytest.fixture(scope="module")
async def customer_id(make_customer: Any) -> str:
    """An active customer, who may buy in all tests."""
    customer: customer_pb2.Customer = await make_customer()
    return customer.id


async def test_a_cancelled_orders_copies_are_back(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    ids = [(await make_disc(stock=10)).id for _ in range(2)]
    order = await orders.create(customer_id, dict.fromkeys(ids, 3))
    cancelled = await orders.cancel(order.id)
    assert (cancelled.id, cancelled.status, cancelled.reason) == (order.id, CANCELLED, "")
    assert cancelled.customer == order.customer
    assert [(line.disc_id, line.quantity) for line in cancelled.lines] == [
        (line.disc_id, line.quantity) for line in order.lines
    ]
    assert [line.returned_quantity for line in cancelled.lines] == [3, 3]
    assert cancelled.refunded_cents == cancelled.total_cents == order.total_cents > 0
    assert cancelled.create_time == order.create_time
    assert cancelled.update_time.ToDatetime() > order.update_time.ToDatetime()
    assert await orders.get(order.id) == cancelled
    assert [await stock.left(disc_id) for disc_id in ids] == [10, 10]
    assert (await stock.reservation(order.id, *ids)).state == RELEASED
    await orders.agrees(*ids)


async def test_a_cancel_again_answers_the_same_and_gives_nothing_back(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=10)
    order = await orders.create(customer_id, {disc.id: 3})
    first = await orders.cancel(order.id, "c-1")
    assert await orders.cancel(order.id, "c-1") == first
    assert await orders.cancel(order.id.upper(), "c-2") == first
    assert await stock.left(disc.id) == 10


async def test_cancels_at_once_give_back_once(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=30)
    placed = [await orders.create(customer_id, {disc.id: 3}) for _ in range(10)]
    answers = await asyncio.gather(*(orders.cancel(order.id) for order in placed * 6))
    assert {answer.status for answer in answers} == {CANCELLED}
    assert await stock.left(disc.id) == 30
    await orders.agrees(disc.id)


async def test_a_replayed_create_answers_the_cancelled_order_and_takes_nothing(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc, request_id = await make_disc(stock=10), new_id()
    order = await orders.create(customer_id, {disc.id: 3}, request_id)
    cancelled = await orders.cancel(order.id)
    assert await orders.create(customer_id, {disc.id: 3}, request_id) == cancelled
    assert await stock.left(disc.id) == 10
    reused = await refusal_of(orders.create(customer_id, {disc.id: 1}, request_id))
    assert reused.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", order_id=order.id)


async def test_cancelled_copies_can_be_bought_again(orders: OrderDesk, make_disc: Any, customer_id: str) -> None:
    disc = await make_disc(stock=3)
    order = await orders.create(customer_id, {disc.id: 3})
    await refusal_of(orders.create(customer_id, {disc.id: 1}))
    await orders.cancel(order.id)
    assert (await orders.create(customer_id, {disc.id: 3})).status == CONFIRMED
    await orders.agrees(disc.id)


async def test_a_rejected_order_cannot_be_cancelled(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc, request_id = await make_disc(stock=1), new_id()
    await refusal_of(orders.create(customer_id, {disc.id: 2}, request_id))
    rejected_id = order_id(customer_id, request_id)
    for _ in range(2):
        refusal = await refusal_of(orders.cancel(rejected_id))
        assert refusal.says(grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE", order_id=rejected_id)
    assert (await orders.get(rejected_id)).status == REJECTED
    assert await stock.left(disc.id) == 1


async def test_an_unknown_order_is_not_found(orders: OrderDesk) -> None:
    assert (await refusal_of(orders.cancel(new_id()))).says(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")


async def test_all_bad_fields_are_named_at_once(orders: OrderDesk) -> None:
    assert await bad_fields_of(orders.cancel("x", "a b")) == {"order_id", "request_id"}
    assert await bad_fields_of(orders.cancel("\0", "\0")) == {"order_id", "request_id"}
    assert await bad_fields_of(orders.cancel("", "")) == {"order_id", "request_id"}
    assert await bad_fields_of(orders.cancel(new_id(), "a" * 65)) == {"request_id"}
