"""Pages of orders, read from requests: limits, and tokens that somebody made up."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from order_service.order_search import OrdersRead
from order_service.search_mapping import PageLimits, orders_to_proto, page_from_proto
from recordshop.order.v1 import order_pb2
from service_runtime import page_tokens
from service_runtime.errors import InvalidArgument

LIMITS = PageLimits(default=50, largest=100)
LAST_KEY = (datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC), UUID(int=7))


def token_of(request: order_pb2.ListOrdersRequest) -> str:
    return orders_to_proto(request, OrdersRead([], LAST_KEY)).next_page_token


@pytest.mark.parametrize(("page_size", "limit"), [(0, 50), (1, 1), (100, 100), (101, 100), (2**31 - 1, 100)])
def test_a_page_size_has_a_default_and_a_largest(page_size: int, limit: int) -> None:
    assert page_from_proto(order_pb2.ListOrdersRequest(page_size=page_size), LIMITS, None).limit == limit


def test_a_token_carries_its_key_to_the_microsecond() -> None:
    request = order_pb2.ListOrdersRequest()
    request.page_token = token_of(request)
    assert page_from_proto(request, LIMITS, None).before == LAST_KEY


def test_the_longest_token_is_within_its_bound() -> None:
    request = order_pb2.ListOrdersRequest(customer_id=str(UUID(int=1)), create_time_from=Timestamp(seconds=1, nanos=1))
    assert len(token_of(request)) < page_tokens.PAGE_TOKEN_LENGTH_MAX


@pytest.mark.parametrize(
    "key",
    [
        [],
        ["2026-01-02T03:04:05+00:00"],
        ["2026-01-02T03:04:05+00:00", "x"],
        ["2026-01-02T03:04:05+00:00", str(UUID(int=7)), "more"],
        ["yesterday", str(UUID(int=7))],
        ["0001-01-01T00:00:00+23:59", str(UUID(int=7))],
        ["9999-12-31T23:59:59-23:59", str(UUID(int=7))],
        ["2026-01-02T03:04:05+00:00\0", str(UUID(int=7))],
    ],
)
def test_a_made_up_key_is_a_bad_token_though_its_filters_are_right(
    key: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = order_pb2.ListOrdersRequest()
    encode = page_tokens.encode
    monkeypatch.setattr(page_tokens, "encode", lambda filters, _: encode(filters, key))
    request.page_token = token_of(request)
    with pytest.raises(InvalidArgument) as raised:
        page_from_proto(request, LIMITS, None)
    assert [violation.field for violation in raised.value.violations] == ["page_token"]
