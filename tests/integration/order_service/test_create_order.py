"""CreateOrder and GetOrder: one request makes one order, decided once, with what was sold kept as it was."""

import asyncio
from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.customer.v1 import customer_pb2
from tests.integration.order_desk import CALL_TIMEOUT_S, CONFIRMED, REJECTED, OrderDesk, order_id
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import RESERVED, StockRoom, new_id

FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
NOT_FOUND = grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
async def customer_id(make_customer: Any) -> str:
    """An active customer, who may buy in all tests."""
    customer: customer_pb2.Customer = await make_customer()
    return customer.id


async def set_active(customer_stub: Any, customer_id: str, *, active: bool) -> None:
    request = customer_pb2.UpdateCustomerRequest(customer=customer_pb2.Customer(id=customer_id, active=active))
    request.update_mask.paths.append("active")
    await customer_stub.UpdateCustomer(request, timeout=CALL_TIMEOUT_S)


async def delete(catalog_stub: Any, disc_id: str) -> None:
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc_id), timeout=CALL_TIMEOUT_S)


async def test_an_order_keeps_its_customer_and_its_discs_as_sold(
    orders: OrderDesk, make_disc: Any, make_customer: Any
) -> None:
    customer = await make_customer(name="Elis Regina", document="529.982.247-25")
    disc = await make_disc(name="Elis & Tom", artist="Elis Regina, Tom Jobim", price_cents=4_990, stock=10)
    order = await orders.create(customer.id, {disc.id: 3}, "r-1")
    assert (order.id, order.request_id, order.customer_id) == (order_id(customer.id, "r-1"), "r-1", customer.id)
    assert (order.customer.name, order.customer.masked_document) == ("Elis Regina", "***.982.247-**")
    (line,) = order.lines
    assert (line.disc_id, line.quantity, line.price_cents) == (disc.id, 3, 4_990)
    assert (line.name, line.artist) == ("Elis & Tom", "Elis Regina, Tom Jobim")
    assert not line.HasField("stock_left")
    assert (order.status, order.reason, order.total_cents) == (CONFIRMED, "", 14_970)
    assert 0 < order.create_time.seconds <= order.update_time.seconds
    assert await orders.get(order.id) == order


async def test_an_order_holds_its_copies_under_its_own_id(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=10)
    order = await orders.create(customer_id, {disc.id: 3})
    assert (await stock.reservation(order.id, disc.id)).state == RESERVED
    balance = await stock.balance(disc.id)
    assert (balance.left, balance.held) == (7, 3)


async def test_several_discs_are_sold_together_in_the_order_of_their_ids(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    prices = {(await make_disc(price_cents=cents)).id: cents for cents in (0, 1, 100_000_000)}
    order = await orders.create(customer_id, [(disc_id, 2) for disc_id in sorted(prices, reverse=True)])
    assert [line.disc_id for line in order.lines] == sorted(prices)
    assert {line.disc_id: line.price_cents for line in order.lines} == prices
    assert order.total_cents == 200_000_002


async def test_the_dearest_order_there_can_be_is_taken(orders: OrderDesk, make_disc: Any, customer_id: str) -> None:
    ids = [(await make_disc(price_cents=100_000_000, stock=1_000)).id for _ in range(50)]
    assert (await orders.create(customer_id, dict.fromkeys(ids, 1_000))).total_cents == 5_000_000_000_000


async def test_a_request_repeated_answers_its_order_and_takes_stock_once(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    one, other = [(await make_disc(stock=10)).id for _ in range(2)]
    request_id = new_id()
    first = await orders.create(customer_id, {one: 3, other: 1}, request_id)
    assert await orders.create(customer_id, {one: 3, other: 1}, request_id) == first
    split = [(one, 1), (other.upper(), 1), (one.upper(), 2)]
    assert await orders.create(customer_id.upper(), split, request_id) == first
    assert [await stock.left(one), await stock.left(other)] == [7, 9]


async def test_equal_requests_at_once_make_one_order(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=1_000)
    for copies in (2, 8, 16):
        request_id = new_id()
        calls = [orders.create(customer_id, {disc.id: copies}, request_id) for _ in range(copies)]
        answers = await asyncio.gather(*calls)
        assert all(answer == answers[0] for answer in answers)
    assert await stock.left(disc.id) == 1_000 - 2 - 8 - 16
    await orders.agrees(disc.id)


async def test_a_request_id_used_with_other_lines_is_refused(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    one, other = [(await make_disc(stock=10)).id for _ in range(2)]
    request_id = new_id()
    first = await orders.create(customer_id, {one: 2}, request_id)
    for lines in ({one: 1}, {one: 3}, {other: 2}, {one: 2, other: 1}):
        refusal = await refusal_of(orders.create(customer_id, lines, request_id))
        assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", order_id=first.id)
    assert await orders.get(first.id) == first
    assert [await stock.left(one), await stock.left(other)] == [8, 10]


async def test_other_lines_under_the_id_of_a_refused_request_are_refused_as_reused(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=1)
    request_id = new_id()
    await refusal_of(orders.create(customer_id, {disc.id: 2}, request_id))
    refusal = await refusal_of(orders.create(customer_id, {disc.id: 1}, request_id))
    assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_two_payloads_at_once_under_one_request_id_make_one_order(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=100)
    sold = 0
    for _ in range(10):
        request_id = new_id()
        calls = [orders.create(customer_id, {disc.id: 1 + n % 2}, request_id) for n in range(4)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        winners = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(winners) == 2
        assert winners[0] == winners[1]
        sold += winners[0].lines[0].quantity
    assert await stock.left(disc.id) == 100 - sold
    await orders.agrees(disc.id)


async def test_a_request_id_belongs_to_its_customer_and_its_case_counts(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, make_customer: Any
) -> None:
    disc = await make_disc(stock=10)
    buyers = [(await make_customer()).id for _ in range(2)]
    ids = {(await orders.create(buyer, {disc.id: 1}, name)).id for buyer in buyers for name in ("order-a", "order-A")}
    assert len(ids) == 4
    assert await stock.left(disc.id) == 6


async def test_an_inactive_customers_order_is_rejected_for_ever(
    orders: OrderDesk, stock: StockRoom, customer_stub: Any, make_disc: Any, make_customer: Any
) -> None:
    disc, customer = await make_disc(stock=10), await make_customer(name="Tim Maia")
    await set_active(customer_stub, customer.id, active=False)
    expected = order_id(customer.id, "r")
    refusal = await refusal_of(orders.create(customer.id, {disc.id: 2}, "r"))
    assert refusal.says(FAILED_PRECONDITION, "CUSTOMER_INACTIVE", order_id=expected)
    order = await orders.get(expected)
    assert (order.status, order.reason, order.total_cents) == (REJECTED, "CUSTOMER_INACTIVE", 0)
    assert (order.customer.name, order.lines[0].disc_id, order.lines[0].quantity) == ("Tim Maia", disc.id, 2)
    await set_active(customer_stub, customer.id, active=True)
    assert await refusal_of(orders.create(customer.id, {disc.id: 2}, "r")) == refusal
    assert await orders.get(expected) == order
    assert await stock.left(disc.id) == 10
    assert (await orders.create(customer.id, {disc.id: 2}, "r-2")).status == CONFIRMED


async def test_an_unknown_customers_request_is_not_recorded(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, make_customer: Any
) -> None:
    disc, unknown = await make_disc(stock=10), new_id()
    assert (await refusal_of(orders.create(unknown, {disc.id: 2}, "r"))).says(NOT_FOUND, "CUSTOMER_NOT_FOUND")
    assert (await refusal_of(orders.get(order_id(unknown, "r")))).says(NOT_FOUND, "ORDER_NOT_FOUND")
    assert await stock.left(disc.id) == 10
    await make_customer(customer_id=unknown)
    assert (await orders.create(unknown, {disc.id: 1}, "r")).status == CONFIRMED


async def test_a_sold_out_order_tells_the_figures_for_ever(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=2)
    request_id = new_id()
    expected = order_id(customer_id, request_id)
    refusal = await refusal_of(orders.create(customer_id, {disc.id: 3}, request_id))
    figures = {"order_id": expected, "disc_id": disc.id, "asked": "3", "left": "2"}
    assert refusal.says(FAILED_PRECONDITION, "OUT_OF_STOCK", **figures)
    order = await orders.get(expected)
    assert (order.status, order.reason, order.total_cents) == (REJECTED, "OUT_OF_STOCK", 0)
    assert [(line.disc_id, line.quantity, line.stock_left) for line in order.lines] == [(disc.id, 3, 2)]
    await stock.adjust(disc.id, 100)
    assert await refusal_of(orders.create(customer_id, {disc.id: 3}, request_id)) == refusal
    assert await orders.get(expected) == order
    assert await stock.left(disc.id) == 102
    assert (await orders.create(customer_id, {disc.id: 3})).status == CONFIRMED


async def test_an_order_of_several_discs_is_refused_whole_with_every_lines_figures(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    stocks = {(await make_disc(stock=count)).id: count for count in (9, 1, 7)}
    ids = sorted(stocks)
    refusal = await refusal_of(orders.create(customer_id, dict.fromkeys(stocks, 2)))
    left = ",".join(str(stocks[disc_id]) for disc_id in ids)
    assert refusal.says(FAILED_PRECONDITION, "OUT_OF_STOCK", disc_id=",".join(ids), asked="2,2,2", left=left)
    assert [await stock.left(disc_id) for disc_id in ids] == [stocks[disc_id] for disc_id in ids]


async def test_an_unknown_disc_is_refused_and_stays_refused_when_it_comes(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    unknown, known, request_id = new_id(), (await make_disc(stock=5)).id, new_id()
    expected = order_id(customer_id, request_id)
    lines = {unknown: 1, known: 1}
    refusal = await refusal_of(orders.create(customer_id, lines, request_id))
    assert refusal.says(NOT_FOUND, "DISC_NOT_FOUND", order_id=expected, disc_id=unknown)
    order = await orders.get(expected)
    assert (order.status, order.reason) == (REJECTED, "DISC_NOT_FOUND")
    await make_disc(disc_id=unknown, stock=5)
    assert await refusal_of(orders.create(customer_id, lines, request_id)) == refusal
    assert [await stock.left(disc_id) for disc_id in lines] == [5, 5]


async def test_a_deleted_disc_is_refused_for_ever(
    orders: OrderDesk, stock: StockRoom, catalog_stub: Any, make_disc: Any, customer_id: str
) -> None:
    deleted, request_id = (await make_disc(stock=5)).id, new_id()
    await delete(catalog_stub, deleted)
    refusal = await refusal_of(orders.create(customer_id, {deleted: 1}, request_id))
    expected = order_id(customer_id, request_id)
    assert refusal.says(FAILED_PRECONDITION, "DISC_DELETED", order_id=expected, disc_id=deleted)
    assert await refusal_of(orders.create(customer_id, {deleted: 1}, request_id)) == refusal
    assert ((await orders.get(expected)).reason, await stock.left(deleted)) == ("DISC_DELETED", 5)


async def test_an_order_stays_as_it_was_sold_when_disc_and_customer_change(
    orders: OrderDesk, catalog_stub: Any, customer_stub: Any, make_disc: Any, make_customer: Any
) -> None:
    customer, disc = await make_customer(name="Before"), await make_disc(name="Before", price_cents=1_000)
    order = await orders.create(customer.id, {disc.id: 2}, "r")
    edited = catalog_pb2.Disc(id=disc.id, name="After", artist="After", price_cents=9_999)
    await catalog_stub.UpdateDisc(catalog_pb2.UpdateDiscRequest(disc=edited), timeout=CALL_TIMEOUT_S)
    renamed = customer_pb2.Customer(id=customer.id, name="After")
    await customer_stub.UpdateCustomer(customer_pb2.UpdateCustomerRequest(customer=renamed), timeout=CALL_TIMEOUT_S)
    await delete(catalog_stub, disc.id)
    assert await orders.create(customer.id, {disc.id: 2}, "r") == order
    assert await orders.get(order.id) == order
    assert (order.lines[0].name, order.total_cents, order.customer.name) == ("Before", 2_000, "Before")


async def test_a_replay_answers_what_was_decided_after_the_customer_was_deactivated(
    orders: OrderDesk, customer_stub: Any, make_disc: Any, make_customer: Any
) -> None:
    customer, disc = await make_customer(), await make_disc(stock=5)
    order = await orders.create(customer.id, {disc.id: 2}, "sold")
    refusal = await refusal_of(orders.create(customer.id, {disc.id: 4}, "refused"))
    await set_active(customer_stub, customer.id, active=False)
    assert await orders.create(customer.id, {disc.id: 2}, "sold") == order
    assert await refusal_of(orders.create(customer.id, {disc.id: 4}, "refused")) == refusal
    new = await refusal_of(orders.create(customer.id, {disc.id: 1}, "new"))
    assert new.says(FAILED_PRECONDITION, "CUSTOMER_INACTIVE")


async def test_all_bad_fields_are_named_at_once_and_nothing_is_recorded(
    orders: OrderDesk, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=5)
    everything = await bad_fields_of(orders.create("x", [("", 1), (disc.id, 0)], "a b"))
    assert everything == {"customer_id", "lines[0].disc_id", "lines[1].quantity", "request_id"}
    assert await bad_fields_of(orders.create(customer_id, {disc.id: 1_001}, "bad-then-good")) == {"lines[0].quantity"}
    assert (await orders.create(customer_id, {disc.id: 1}, "bad-then-good")).status == CONFIRMED


@pytest.mark.parametrize("request_id", ["", "a" * 65, "a b", "ä", "a/b", "a\0", "a\n"])
async def test_a_request_id_is_1_to_64_plain_characters(orders: OrderDesk, request_id: str) -> None:
    assert await bad_fields_of(orders.create(new_id(), {new_id(): 1}, request_id)) == {"request_id"}


async def test_the_longest_request_id_is_taken_as_it_is(orders: OrderDesk, make_disc: Any, customer_id: str) -> None:
    request_id = "aZ9._:-x" * 8
    assert (await orders.create(customer_id, {(await make_disc()).id: 1}, request_id)).request_id == request_id


@pytest.mark.parametrize("quantity", [0, -1, -(2**31), 1_001, 2**31 - 1])
async def test_a_quantity_is_from_1_to_1000(orders: OrderDesk, customer_id: str, quantity: int) -> None:
    assert await bad_fields_of(orders.create(customer_id, {new_id(): quantity})) == {"lines[0].quantity"}


async def test_a_quantity_is_at_most_1000_after_lines_are_added_up(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = await make_disc(stock=5_000)
    assert await bad_fields_of(orders.create(customer_id, [(disc.id, 600), (disc.id, 401)]))
    assert (await orders.create(customer_id, [(disc.id, 600), (disc.id, 400)])).lines[0].quantity == 1_000
    assert await stock.left(disc.id) == 4_000


async def test_an_order_has_1_to_50_lines(orders: OrderDesk, make_disc: Any, customer_id: str) -> None:
    assert await bad_fields_of(orders.create(customer_id, {})) == {"lines"}
    assert await bad_fields_of(orders.create(customer_id, [(new_id(), 1) for _ in range(51)])) == {"lines"}
    disc = await make_disc()
    assert await bad_fields_of(orders.create(customer_id, [(disc.id, 1)] * 51)) == {"lines"}
    assert (await orders.create(customer_id, [(disc.id, 1)] * 50)).lines[0].quantity == 50


async def test_get_of_an_unknown_order_is_not_found(orders: OrderDesk) -> None:
    assert (await refusal_of(orders.get(new_id()))).says(NOT_FOUND, "ORDER_NOT_FOUND")


@pytest.mark.parametrize("not_uuid", ["", "x", "\0"])
async def test_get_wants_a_uuid(orders: OrderDesk, not_uuid: str) -> None:
    assert await bad_fields_of(orders.get(not_uuid)) == {"id"}
