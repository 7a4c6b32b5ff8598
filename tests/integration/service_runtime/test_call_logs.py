"""What calls leave in the log: the failed and the slow ones a line each, the rest as many as was asked for."""

import json
from secrets import token_hex
from typing import Any

import grpc

from recordshop.order.v1 import order_pb2
from tests.conftest import FreshShops
from tests.faults.waiting import eventually
from tests.integration.order_desk import order_id, order_request
from tests.opened_shop import OpenedShop

TIMEOUT_S = 10.0
CREATE_ORDER = "/recordshop.order.v1.OrderService/CreateOrder"


def traceparent(trace_id: str) -> tuple[tuple[str, str], ...]:
    """A caller's trace, which nobody records."""
    return (("traceparent", f"00-{trace_id}-{token_hex(8)}-00"),)


async def lines_of(shop: OpenedShop, trace_id: str) -> list[dict[str, Any]]:
    """The order service's lines of one trace, as soon as there are some."""

    async def read() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in shop.local.order._log.path.read_text().splitlines()]
        return [line for line in lines if line.get("trace_id") == trace_id]

    return await eventually(read, bool)


async def test_a_sampled_call_tells_its_order_and_its_trace_without_tracing(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"LOG_CALLS_SHARE": "1"}})
    disc, customer, trace_id = await shop.make_disc(), await shop.make_customer(), token_hex(16)
    order = await shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=traceparent(trace_id)
    )
    [line] = await lines_of(shop, trace_id)
    assert line.pop("elapsed_s") > 0
    assert line.pop("timestamp")
    assert line == {
        "event": "call",
        "level": "info",
        "service": "order",
        "method": CREATE_ORDER,
        "code": "OK",
        "order_id": order.id,
        "trace_id": trace_id,
    }


async def test_a_refusal_is_an_ordinary_call(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"LOG_CALLS_SHARE": "1"}})
    disc, customer, trace_id = await shop.make_disc(stock=0), await shop.make_customer(), token_hex(16)
    call = shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=traceparent(trace_id)
    )
    assert await call.code() is grpc.StatusCode.FAILED_PRECONDITION
    [line] = await lines_of(shop, trace_id)
    assert (line["event"], line["code"]) == ("call", "FAILED_PRECONDITION")


async def test_a_failed_call_tells_its_reason_and_its_order_and_others_say_nothing(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"CATALOG_TIMEOUT_S": "0.3"}})
    disc, customer, trace_id = await shop.make_disc(), await shop.make_customer(), token_hex(16)
    quiet = token_hex(16)
    await shop.order.ListOrders(order_pb2.ListOrdersRequest(), timeout=TIMEOUT_S, metadata=traceparent(quiet))
    shop.local.catalog.pause()
    try:
        call = shop.order.CreateOrder(
            order_request(customer.id, {disc.id: 1}, "r"), timeout=TIMEOUT_S, metadata=traceparent(trace_id)
        )
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        shop.local.catalog.resume()
    [line] = await lines_of(shop, trace_id)
    assert {name: line[name] for name in ("event", "level", "code", "reason", "order_id")} == {
        "event": "call refused",
        "level": "warning",
        "code": "UNAVAILABLE",
        "reason": "ORDER_PENDING",
        "order_id": order_id(customer.id, "r"),
    }
    assert quiet not in shop.local.order._log.path.read_text()


async def test_a_slow_call_is_always_told(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"SLOW_CALL_S": "0.001"}})
    disc, customer, trace_id = await shop.make_disc(), await shop.make_customer(), token_hex(16)
    order = await shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=traceparent(trace_id)
    )
    [line] = await lines_of(shop, trace_id)
    assert (line["event"], line["level"], line["order_id"]) == ("slow call", "warning", order.id)


async def test_lines_for_people_are_chosen_by_a_setting(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"LOG_FORMAT": "console"}})
    first, *_ = shop.local.order._log.path.read_text().splitlines()
    assert "listening" in first
    assert not first.startswith("{")
