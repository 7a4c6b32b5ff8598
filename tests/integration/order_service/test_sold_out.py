"""The short way of orders of a disc that has just been refused: denied by the catalog first, then written down once, as they end."""

import asyncio
from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.integration.order_desk import CALL_TIMEOUT_S, CONFIRMED, REJECTED, OrderDesk, order_id, order_request
from tests.integration.refusals import Refusal, refusal_of
from tests.integration.stock_room import DENIED, StockRoom, new_id
from tests.opened_shop import OpenedShop

BATCH_SIZE_MAX = 1_000
WAYS = """
SELECT status, create_time = update_time AND attempts = 1, count(*) FROM orders WHERE id = ANY ($1::uuid[]) GROUP BY 1, 2
"""


@pytest.fixture(scope="module")
async def customer_id(make_customer: Any) -> str:
    """An active customer, who may buy in all tests."""
    customer: customer_pb2.Customer = await make_customer()
    return customer.id


@pytest.fixture
async def sold_out(orders: OrderDesk, make_disc: Any, customer_id: str) -> str:
    """The id of a disc with one copy, of which the order service has just been refused two."""
    disc = await make_disc(stock=1)
    assert (await refusal_of(orders.create(customer_id, {disc.id: 2}))).reason == "OUT_OF_STOCK"
    return str(disc.id)


async def deactivate(shop: OpenedShop, customer_id: str) -> None:
    request = customer_pb2.UpdateCustomerRequest(customer=customer_pb2.Customer(id=customer_id, active=False))
    request.update_mask.paths.append("active")
    await shop.customer.UpdateCustomer(request, timeout=CALL_TIMEOUT_S)


def was_written_once(order: order_pb2.Order) -> bool:
    """Tell whether an order never was PENDING: a decision that comes after the insert has a later time."""
    return order.create_time == order.update_time


def out_of_stock(customer_id: str, request_id: str, disc_id: str, asked: int, left: int) -> Refusal:
    figures = {"disc_id": disc_id, "asked": str(asked), "left": str(left)}
    figures["order_id"] = order_id(customer_id, request_id)
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", figures)


async def test_after_a_refusal_the_next_one_is_denied_first_written_once_and_told_the_same(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=2)
    placed, denied = [], []
    for turn in range(4):
        request_id = new_id()
        refusal = await refusal_of(orders.create(customer_id, {disc.id: 3}, request_id))
        assert refusal == out_of_stock(customer_id, request_id, disc.id, asked=3, left=2)
        placed.append(await orders.get(order_id(customer_id, request_id)))
        denied.append(await stock.reservation(placed[-1].id, disc.id))
        # The usual way takes the order in, and then asks.
        was_asked_first = denied[-1].create_time.ToNanoseconds() < placed[-1].create_time.ToNanoseconds()
        assert (was_written_once(placed[-1]), was_asked_first) == (turn > 0, turn > 0)
    for order in placed:
        assert (order.status, order.reason, order.total_cents) == (REJECTED, "OUT_OF_STOCK", 0)
        assert order.customer == placed[0].customer
        assert [(line.disc_id, line.quantity, line.stock_left) for line in order.lines] == [(disc.id, 3, 2)]
    assert {entry.state for entry in denied} == {DENIED}
    assert all(entry.lines == denied[0].lines for entry in denied)
    assert await stock.left(disc.id) == 2
    await orders.agrees(disc.id)


async def test_a_refusal_of_the_short_way_is_told_the_same_for_ever(
    orders: OrderDesk, stock: StockRoom, sold_out: str, customer_id: str
) -> None:
    request_id = new_id()
    expected = out_of_stock(customer_id, request_id, sold_out, asked=4, left=1)
    assert await refusal_of(orders.create(customer_id, {sold_out: 4}, request_id)) == expected
    order = await orders.get(order_id(customer_id, request_id))
    assert was_written_once(order)
    for delivered in (1, 100):
        assert await refusal_of(orders.create(customer_id, {sold_out: 4}, request_id)) == expected
        (result,) = await orders.batch([order_request(customer_id, {sold_out: 4}, request_id)])
        assert (result.error.reason, dict(result.error.metadata)) == (expected.reason, expected.metadata)
        await stock.adjust(sold_out, delivered)
    assert await refusal_of(orders.create(customer_id, [(sold_out, 1), (sold_out, 3)], request_id)) == expected
    assert (await refusal_of(orders.cancel(order.id))).reason == "ORDER_NOT_CANCELLABLE"
    assert await orders.get(order.id) == order
    assert await stock.left(sold_out) == 102
    await orders.agrees(sold_out)


async def test_equal_requests_at_once_are_one_refusal(orders: OrderDesk, sold_out: str, customer_id: str) -> None:
    request_id = new_id()
    expected = out_of_stock(customer_id, request_id, sold_out, asked=2, left=1)
    refusals = await asyncio.gather(
        *(refusal_of(orders.create(customer_id, {sold_out: 2}, request_id)) for _ in range(20))
    )
    assert all(refusal == expected for refusal in refusals)
    assert was_written_once(await orders.get(order_id(customer_id, request_id)))


async def test_a_new_request_after_a_restock_is_confirmed_and_so_is_the_next(
    orders: OrderDesk, stock: StockRoom, sold_out: str, customer_id: str
) -> None:
    await stock.adjust(sold_out, 5)
    for left in (4, 2, 0):
        order = await orders.create(customer_id, {sold_out: 2})
        assert (order.status, await orders.get(order.id)) == (CONFIRMED, order)
        assert await stock.left(sold_out) == left
    assert (await refusal_of(orders.create(customer_id, {sold_out: 2}))).metadata["left"] == "0"
    await orders.agrees(sold_out)


async def test_copies_that_a_cancel_gives_back_are_sold_again(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=1)).id
    for _ in range(5):
        bought = await orders.create(customer_id, {disc: 1})
        for _ in range(2):
            await refusal_of(orders.create(customer_id, {disc: 1}))
        await orders.cancel(bought.id)
    assert await stock.left(disc) == 1
    await orders.agrees(disc)


async def test_who_asks_for_less_is_sold_what_others_were_refused(
    orders: OrderDesk, stock: StockRoom, sold_out: str, customer_id: str
) -> None:
    refused = await refusal_of(orders.create(customer_id, {sold_out: 2}))
    assert was_written_once(await orders.get(refused.metadata["order_id"]))
    assert (await orders.create(customer_id, {sold_out: 1})).status == CONFIRMED
    for quantity in (2, 1, 1):
        assert (await refusal_of(orders.create(customer_id, {sold_out: quantity}))).metadata["left"] == "0"
    assert await stock.left(sold_out) == 0
    await orders.agrees(sold_out)


async def test_an_order_of_several_discs_is_refused_with_every_lines_figures_and_takes_none(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, sold_out: str, customer_id: str
) -> None:
    plenty = (await make_disc(stock=9)).id
    refusal = await refusal_of(orders.create(customer_id, {sold_out: 2, plenty: 2}))
    left = {sold_out: "1", plenty: "9"}
    ids = sorted(left)
    expected = {"disc_id": ",".join(ids), "asked": "2,2", "left": ",".join(left[disc] for disc in ids)}
    assert refusal.says(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", **expected)
    assert (await orders.create(customer_id, {sold_out: 1, plenty: 2})).status == CONFIRMED
    assert [await stock.left(disc) for disc in (sold_out, plenty)] == [0, 7]
    await orders.agrees(sold_out, plenty)


async def test_a_disc_that_is_taken_off_sale_meanwhile_is_refused_as_that(
    orders: OrderDesk, catalog_stub: Any, sold_out: str, customer_id: str
) -> None:
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=sold_out), timeout=CALL_TIMEOUT_S)
    refusal = await refusal_of(orders.create(customer_id, {sold_out: 2}))
    assert refusal.says(grpc.StatusCode.FAILED_PRECONDITION, "DISC_DELETED", disc_id=sold_out)


async def test_in_a_batch_each_order_goes_its_own_way(
    shop: OpenedShop, orders: OrderDesk, stock: StockRoom, sold_out: str, customer_id: str
) -> None:
    plenty, short = [(await shop.make_disc(stock=left)).id for left in (100, 3)]
    inactive, unknown = (await shop.make_customer()).id, new_id()
    await deactivate(shop, inactive)
    asked = {
        (customer_id, "short way"): {sold_out: 2},
        (customer_id, "another disc"): {plenty: 5},
        (customer_id, "several lines"): {sold_out: 1, plenty: 101},
        (inactive, "inactive"): {sold_out: 2},
        (unknown, "unknown"): {sold_out: 2},
        (customer_id, "the last copy"): {sold_out: 1},
        (customer_id, "never refused before"): {short: 4},
        (customer_id, "lines of one disc"): [(sold_out, 2), (sold_out, 3)],
        (customer_id, "no such disc"): {new_id(): 1},
    }
    requests = [order_request(customer, lines) for (customer, _), lines in asked.items()]
    results = await orders.batch(requests)
    told = {name: result.error.reason for (_, name), result in zip(asked, results, strict=True)}
    assert told == {
        "short way": "OUT_OF_STOCK",
        "another disc": "",
        "several lines": "OUT_OF_STOCK",
        "inactive": "CUSTOMER_INACTIVE",
        "unknown": "CUSTOMER_NOT_FOUND",
        "the last copy": "",
        "never refused before": "OUT_OF_STOCK",
        "lines of one disc": "OUT_OF_STOCK",
        "no such disc": "DISC_NOT_FOUND",
    }
    assert await orders.batch(requests) == results
    # Who may not buy is not denied either: nobody asks the catalog about them.
    for customer, name in ((inactive, "inactive"), (unknown, "unknown")):
        request = requests[list(told).index(name)]
        refusal = await refusal_of(stock.reservation(order_id(customer, request.request_id), sold_out))
        assert refusal.reason == "RESERVATION_NOT_FOUND"
    ids = {
        name: order_id(customer, request.request_id) for (customer, name), request in zip(asked, requests, strict=True)
    }
    assert (await refusal_of(orders.get(ids["unknown"]))).reason == "ORDER_NOT_FOUND"
    placed = {name: await orders.get(one) for name, one in ids.items() if name != "unknown"}
    assert {name for name, order in placed.items() if was_written_once(order)} == {
        *("short way", "lines of one disc", "inactive")
    }
    assert [await stock.left(disc) for disc in (sold_out, plenty, short)] == [0, 95, 3]
    await orders.agrees(sold_out, plenty, short)


async def test_the_largest_batch_of_a_disc_that_is_sold_out_is_refused_in_one_write_each(
    orders: OrderDesk, sold_out: str, customer_id: str, order_admin: Any
) -> None:
    requests = [order_request(customer_id, {sold_out: 2}) for _ in range(BATCH_SIZE_MAX)]
    results = await orders.batch(requests)
    for request, result in zip(requests, results, strict=True):
        expected = out_of_stock(customer_id, request.request_id, sold_out, asked=2, left=1)
        assert (result.error.reason, dict(result.error.metadata)) == (expected.reason, expected.metadata)
    ids = [order_id(customer_id, request.request_id) for request in requests]
    assert await order_admin.fetch(WAYS, ids) == [("REJECTED", True, BATCH_SIZE_MAX)]
    await orders.agrees(sold_out)


@pytest.mark.parametrize("way", ["usual", "short"])
async def test_other_lines_under_the_id_of_a_refused_request_are_reused_whichever_way_they_go(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str, way: str
) -> None:
    disc, other = [(await make_disc(stock=1)).id for _ in range(2)]
    if way == "short":
        await refusal_of(orders.create(customer_id, {disc: 2}))
    await refusal_of(orders.create(customer_id, {other: 2}))
    request_id = new_id()
    expected = out_of_stock(customer_id, request_id, disc, asked=2, left=1)
    assert await refusal_of(orders.create(customer_id, {disc: 2}, request_id)) == expected
    order = await orders.get(order_id(customer_id, request_id))
    assert was_written_once(order) == (way == "short")
    for lines in ({disc: 3}, {disc: 1}, {other: 2}, {other: 1}, {disc: 2, other: 1}):
        refusal = await refusal_of(orders.create(customer_id, lines, request_id))
        assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", order_id=order.id)
    assert await refusal_of(orders.create(customer_id, {disc: 2}, request_id)) == expected
    assert await orders.get(order.id) == order
    assert [await stock.left(one) for one in (disc, other)] == [1, 1]
    await orders.agrees(disc, other)


async def test_lines_of_the_short_way_under_the_id_of_a_confirmed_request_are_reused(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, sold_out: str, customer_id: str
) -> None:
    plenty = (await make_disc(stock=9)).id
    for lines in ({plenty: 2}, {plenty: 1, sold_out: 1}):
        request_id = new_id()
        order = await orders.create(customer_id, lines, request_id)
        for quantity in (2, 1):
            refusal = await refusal_of(orders.create(customer_id, {sold_out: quantity}, request_id))
            assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", order_id=order.id)
        assert await orders.create(customer_id, lines, request_id) == order
        assert (await orders.cancel(order.id)).id == order.id
        await orders.agrees(sold_out, plenty)
    assert [await stock.left(disc) for disc in (sold_out, plenty)] == [1, 9]


async def test_two_payloads_in_one_batch_of_the_short_way_are_decided_by_the_first(
    orders: OrderDesk, sold_out: str, customer_id: str
) -> None:
    request_id = new_id()
    requests = [order_request(customer_id, {sold_out: quantity}, request_id) for quantity in (2, 3, 2)]
    first, other, again = await orders.batch(requests)
    assert first == again
    assert dict(first.error.metadata) == out_of_stock(customer_id, request_id, sold_out, asked=2, left=1).metadata
    assert other.error.reason == "REQUEST_ID_REUSED"
    assert was_written_once(await orders.get(order_id(customer_id, request_id)))
