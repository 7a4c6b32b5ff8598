"""BatchCreateOrders: one result for each request, each on its own."""

from typing import Any

import grpc
import pytest

from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.integration.order_desk import CANCELLED, CONFIRMED, OrderDesk, order_id, order_request
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import StockRoom, new_id

BATCH_SIZE_MAX = 1_000


@pytest.fixture(scope="module")
async def customer_id(make_customer: Any) -> str:
    """An active customer, who may buy in all tests."""
    customer: customer_pb2.Customer = await make_customer()
    return customer.id


def code_of(result: order_pb2.CreateOrderResult) -> tuple[int, str]:
    assert result.WhichOneof("result") == "error", result
    return result.error.code, result.error.reason


async def test_results_come_in_the_order_of_the_requests(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(price_cents=100, stock=1_000)
    requests = [order_request(customer_id, {disc.id: n}) for n in range(1, 31)]
    results = await orders.batch(requests)
    expected = [
        order_pb2.OrderSummary(
            order_id=order_id(customer_id, request.request_id),
            request_id=request.request_id,
            status=CONFIRMED,
            total_cents=100 * n,
        )
        for n, request in enumerate(requests, start=1)
    ]
    assert [result.order for result in results] == expected
    assert await stock.left(disc.id) == 1_000 - sum(range(1, 31))
    await orders.agrees(disc.id)


async def test_a_batch_repeated_answers_the_same_and_takes_stock_once(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=5)
    requests = [order_request(customer_id, {disc.id: 2}) for _ in range(4)]
    first = await orders.batch(requests)
    assert sorted(result.WhichOneof("result") or "" for result in first) == ["error", "error", "order", "order"]
    assert await orders.batch(requests) == first
    assert await stock.left(disc.id) == 1


async def test_each_entry_gets_what_create_order_would_have_answered(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc, unknown_disc, unknown_customer = (await make_disc(stock=2)).id, new_id(), new_id()
    requests = [
        order_request(customer_id, {disc: 3}),
        order_request(customer_id, {unknown_disc: 1}),
        order_request(unknown_customer, {disc: 1}),
        order_request(customer_id, {disc: 2}),
    ]
    results = await orders.batch(requests)
    for request, result in zip(requests[:3], results[:3], strict=True):
        alone = await refusal_of(orders.stub.CreateOrder(request, timeout=20))
        assert code_of(result) == (alone.code.value[0], alone.reason)
        assert dict(result.error.metadata) == alone.metadata
        assert result.error.message
    assert results[3].order.status == CONFIRMED


async def test_a_bad_entry_names_its_fields_and_hurts_no_other(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc, request_id = await make_disc(stock=10), new_id()
    results = await orders.batch(
        [
            order_request(customer_id, {disc.id: 1}),
            order_request("x", {disc.id: -7}, "a b"),
            order_request(customer_id, {}),
            order_request(customer_id, {disc.id: 0}, request_id),
            order_request(customer_id, {disc.id: 2}, request_id),
        ]
    )
    assert [result.WhichOneof("result") for result in results] == ["order", "error", "error", "error", "order"]
    assert {result.error.code for result in results[1:4]} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
    for field in ("customer_id", "lines[0].quantity", "request_id"):
        assert field in results[1].error.message
    assert "lines" in results[2].error.message
    assert await stock.left(disc.id) == 7


async def test_an_equal_request_twice_in_a_batch_shares_its_answer(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    one, other = [(await make_disc(stock=10)).id for _ in range(2)]
    request_id = new_id()
    results = await orders.batch(
        [
            order_request(customer_id, {one: 3, other: 1}, request_id),
            order_request(customer_id, {one: 1}),
            order_request(customer_id.upper(), [(other, 1), (one, 1), (one, 2)], request_id),
        ]
    )
    assert results[0] == results[2]
    assert results[0].order.status == CONFIRMED
    assert [await stock.left(one), await stock.left(other)] == [6, 9]


async def test_a_refused_request_twice_in_a_batch_shares_its_refusal(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc, request_id = await make_disc(stock=1), new_id()
    results = await orders.batch([order_request(customer_id, {disc.id: 2}, request_id)] * 3)
    assert results[0] == results[1] == results[2]
    assert code_of(results[0]) == (grpc.StatusCode.FAILED_PRECONDITION.value[0], "OUT_OF_STOCK")


async def test_another_payload_under_a_batchs_own_request_id_is_refused_and_the_first_decides(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, make_customer: Any, customer_id: str
) -> None:
    disc, other_customer, request_id = await make_disc(stock=10), (await make_customer()).id, new_id()
    results = await orders.batch(
        [
            order_request(customer_id, {disc.id: 1}, request_id),
            order_request(customer_id, {disc.id: 2}, request_id),
            order_request(other_customer, {disc.id: 3}, request_id),
            order_request(customer_id, {disc.id: 1}, request_id),
        ]
    )
    reused = (grpc.StatusCode.ALREADY_EXISTS.value[0], "REQUEST_ID_REUSED")
    assert code_of(results[1]) == reused
    assert results[1].error.metadata["order_id"] == results[0].order.order_id
    assert results[0] == results[3]
    assert results[2].order.status == CONFIRMED
    assert await stock.left(disc.id) == 6
    (again,) = await orders.batch([order_request(customer_id, {disc.id: 2}, request_id)])
    assert code_of(again) == reused


async def test_a_batch_answers_a_cancelled_order_as_it_is_now(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=10)
    request = order_request(customer_id, {disc.id: 1})
    (first,) = await orders.batch([request])
    await orders.cancel(first.order.order_id)
    (again,) = await orders.batch([request])
    assert (again.order.order_id, again.order.status) == (first.order.order_id, CANCELLED)
    assert await stock.left(disc.id) == 10


async def test_a_batch_has_1_to_1000_requests(orders: OrderDesk, make_disc: Any, customer_id: str) -> None:
    assert await bad_fields_of(orders.batch([])) == {"requests"}
    disc = await make_disc(stock=10)
    requests = [order_request(customer_id, {disc.id: 1}, f"r-{n}") for n in range(BATCH_SIZE_MAX + 1)]
    assert await bad_fields_of(orders.batch(requests)) == {"requests"}
    await orders.agrees(disc.id)
    assert (await orders.audit(disc.id))[0].sold == 0


async def test_the_largest_batch_at_the_end_of_the_stock_sells_exactly_what_is_there(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=600)
    results = await orders.batch(order_request(customer_id, {disc.id: 1}) for _ in range(BATCH_SIZE_MAX))
    kinds = [result.WhichOneof("result") for result in results]
    assert (kinds.count("order"), kinds.count("error")) == (600, 400)
    assert {result.error.reason for result in results if result.HasField("error")} == {"OUT_OF_STOCK"}
    await orders.agrees(disc.id)


async def test_a_large_batch_that_is_partly_a_repetition_places_the_rest_and_answers_the_same(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    """A batch of this size is copied into the table, which takes none of it if one order exists."""
    disc = await make_disc(stock=1_000)
    requests = [order_request(customer_id, {disc.id: 1}) for _ in range(400)]
    first = await orders.batch(requests[:300])
    assert await orders.batch(requests[:300]) == first
    second = await orders.batch(requests[100:])
    assert second[:200] == first[100:]
    assert {result.order.status for result in second} == {CONFIRMED}
    assert await stock.left(disc.id) == 600
    await orders.agrees(disc.id)
