"""One message for ever becomes an order after the other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from benchmarks.fresh_ids import SERVICE, FreshIds
from benchmarks.props import ANY_DISC
from recordshop.order.v1 import order_pb2

CUSTOMERS = ("customer-1", "customer-2", "customer-3")
DISCS = ("disc-1", "disc-2")
LINE = order_pb2.OrderLineRequest(disc_id="hot", quantity=2)
REQUEST = order_pb2.CreateOrderRequest(customer_id="somebody", request_id="bench", lines=[LINE])


@dataclass
class Details:
    method: str


def handler_of(request: type[Any]) -> Callable[[Any], Awaitable[Any]]:
    async def answer(details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda asked, _: asked, request_deserializer=request.FromString)

    return answer


async def decoder(method: str, request: type[Any]) -> Callable[[bytes], Any]:
    interceptor = FreshIds(customer_ids=CUSTOMERS, discs={ANY_DISC: DISCS})
    handler = await interceptor.intercept_service(handler_of(request), Details(f"/{SERVICE}/{method}"))  # type: ignore[arg-type]
    again = await interceptor.intercept_service(handler_of(request), Details(f"/{SERVICE}/{method}"))  # type: ignore[arg-type]
    assert again.request_deserializer is handler.request_deserializer or method == "GetOrder"
    decode: Callable[[bytes], Any] = handler.request_deserializer
    return decode


async def test_each_call_is_an_order_of_its_own_for_the_next_customer() -> None:
    decode = await decoder("CreateOrder", order_pb2.CreateOrderRequest)
    orders = [decode(REQUEST.SerializeToString()) for _ in range(6)]
    assert len({order.request_id for order in orders}) == 6
    assert all(order.request_id.startswith("bench-") and len(order.request_id) <= 64 for order in orders)
    assert [order.customer_id for order in orders] == [*CUSTOMERS, *CUSTOMERS]
    assert all(list(order.lines) == [LINE] for order in orders)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("BatchCreateOrders", order_pb2.BatchCreateOrdersRequest(requests=[REQUEST] * 5)),
        ("PlaceOrders", order_pb2.PlaceOrdersRequest(requests=[REQUEST] * 5)),
    ],
)
async def test_each_order_of_a_batch_or_stream_is_one_of_its_own(method: str, message: Any) -> None:
    decode = await decoder(method, type(message))
    orders = [order for _ in range(2) for order in decode(message.SerializeToString()).requests]
    assert len({order.request_id for order in orders}) == 10


async def test_two_processes_make_different_ids() -> None:
    one, other = [await decoder("CreateOrder", order_pb2.CreateOrderRequest) for _ in range(2)]
    message = REQUEST.SerializeToString()
    assert one(message).request_id != other(message).request_id


async def test_any_disc_becomes_one_of_them() -> None:
    decode = await decoder("CreateOrder", order_pb2.CreateOrderRequest)
    request = order_pb2.CreateOrderRequest(lines=[order_pb2.OrderLineRequest(disc_id=ANY_DISC, quantity=1)])
    assert {decode(request.SerializeToString()).lines[0].disc_id for _ in range(200)} == set(DISCS)


async def test_other_methods_are_left_alone() -> None:
    decode = await decoder("GetOrder", order_pb2.GetOrderRequest)
    assert decode(order_pb2.GetOrderRequest(id="one").SerializeToString()).id == "one"


@pytest.mark.parametrize("method", ["CreateOrder", "Nothing"])
async def test_a_method_that_the_server_has_not_stays_unknown(method: str) -> None:
    async def nobody(details: Any) -> None:
        return None

    interceptor = FreshIds(customer_ids=CUSTOMERS, discs={ANY_DISC: DISCS})
    assert await interceptor.intercept_service(nobody, Details(f"/{SERVICE}/{method}")) is None  # type: ignore[arg-type]
