"""Ids and fingerprints of returns: they stand in two databases for ever, so that not one bit of them may change."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from order_service.model import Order, OrderLine, OrderStatus, order_id_for
from order_service.return_mapping import add_returns, has_returns
from order_service.return_model import CancelRequest, Disposition, OrderReturn, return_id_for
from recordshop.order.v1 import order_pb2
from service_runtime.quantities import Lines

ORDER = UUID("0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb")
DISC = UUID("bcd8a0e9-dc0a-4ae7-a783-458542e2cc39")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def asked(lines: Lines, disposition: Disposition) -> CancelRequest:
    return CancelRequest(ORDER, "r-1", lines, disposition, None)


def order(status: OrderStatus, *, price_cents: int | None, returned: int | None = None) -> Order:
    line = OrderLine(DISC, 5, price_cents=price_cents, returned=returned)
    total_cents = 5 * (price_cents or 0)
    return Order(ORDER, "r", ORDER, "Ada", "", b"", [line], total_cents, status, None, (), NOW, NOW)


def told(given_order: Order) -> tuple[bool, int, int]:
    line = given_order.lines[0]
    message = order_pb2.Order(lines=[order_pb2.OrderLine(price_cents=line.price_cents or 0)])
    add_returns(message, given_order)
    return has_returns(given_order), message.lines[0].returned_quantity, message.refunded_cents


def test_a_return_id_is_what_it_was_when_the_first_returns_were_stored() -> None:
    assert return_id_for(ORDER, "r-1") == UUID("0e9127dc-f7d1-8cc1-bfdc-e4dfb90f88f1")


def test_a_fingerprint_is_what_it_was_when_the_first_returns_were_stored() -> None:
    request = asked(Lines((ORDER,), (2,)), Disposition.WRITE_OFF)
    assert request.fingerprint.hex() == "b71efd3f5a1adfa29689573c70dcc131"


@given(st.uuids(), st.from_regex(r"\A[A-Za-z0-9._:-]{1,64}\Z"))
def test_a_return_stands_near_its_order_and_is_no_order(order_id: UUID, request_id: str) -> None:
    return_id = return_id_for(order_id, request_id)
    assert (return_id.version, return_id.variant) == (8, RFC_4122)
    assert return_id.int >> 116 == order_id.int >> 116
    assert return_id != order_id_for(order_id, request_id)


def test_only_the_whole_order_back_onto_the_shelf_is_no_return() -> None:
    nothing, something = Lines((), ()), Lines((DISC,), (1,))
    requests = [asked(lines, disposition) for lines in (nothing, something) for disposition in Disposition]
    assert [request.is_plain for request in requests] == [True, False, False, False]
    assert len({request.fingerprint for request in requests}) == 4


def test_what_came_back_is_added_to_what_had() -> None:
    returning = OrderReturn(ORDER, ORDER, "r", b"", Lines((DISC,), (2,)), Disposition.RESTOCK)
    assert returning.quantities_after(order(OrderStatus.CONFIRMED, price_cents=1, returned=1)) == [3]
    assert returning.quantities_after(order(OrderStatus.CONFIRMED, price_cents=1)) == [2]


def test_an_order_tells_what_it_refunds() -> None:
    assert told(order(OrderStatus.CONFIRMED, price_cents=100)) == (False, 0, 0)
    assert told(order(OrderStatus.CONFIRMED, price_cents=100, returned=2)) == (True, 2, 200)
    assert told(order(OrderStatus.CANCELLED, price_cents=100, returned=2)) == (True, 5, 500)
    assert told(order(OrderStatus.CANCELLED, price_cents=None)) == (True, 0, 0), "it was cancelled before it was sold"
