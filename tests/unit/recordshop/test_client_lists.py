import grpc
import pytest

from recordshop import paging
from recordshop.catalog.v1 import catalog_pb2
from recordshop.client import RecordShop
from recordshop.order.v1 import order_pb2
from recordshop.paging import PAGE_SIZE_MAX
from tests.unit.recordshop.fake_shop import FakeShop, failed

Order = order_pb2.Order


async def test_orders_are_listed_over_all_pages_short_and_empty_ones_too(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [
        order_pb2.ListOrdersResponse(orders=[Order(id="o1"), Order(id="o2")], next_page_token="t1"),
        order_pb2.ListOrdersResponse(next_page_token="t2"),
        order_pb2.ListOrdersResponse(orders=[Order(id="o3")]),
    ]
    filters = order_pb2.ListOrdersRequest(customer_id="c1", status=order_pb2.ORDER_STATUS_CONFIRMED)
    filters.create_time_from.FromSeconds(1_000)
    filters.create_time_to.FromSeconds(2_000)
    given = filters.SerializeToString()

    assert [order.id async for order in shop.list_orders(filters)] == ["o1", "o2", "o3"]

    assert [request.page_token for request in fake.requests] == ["", "t1", "t2"]
    assert filters.SerializeToString() == given, "the caller's request is not touched"
    for request in fake.requests:
        assert request.page_size == PAGE_SIZE_MAX
        request.ClearField("page_size")
        request.ClearField("page_token")
        assert request == filters


async def test_discs_are_listed_with_their_filters_and_page_size_from_the_given_page(
    fake: FakeShop, shop: RecordShop
) -> None:
    fake.script = [
        catalog_pb2.ListDiscsResponse(discs=[catalog_pb2.Disc(id="d1")], next_page_token="t2"),
        catalog_pb2.ListDiscsResponse(discs=[catalog_pb2.Disc(id="d2")]),
    ]
    filters = catalog_pb2.ListDiscsRequest(
        artist=catalog_pb2.TextFilter(partial="hoh"), in_stock=False, page_size=7, page_token="t1"
    )

    assert [disc.id async for disc in shop.list_discs(filters)] == ["d1", "d2"]

    assert fake.requests[0] == filters
    filters.page_token = "t2"
    assert fake.requests[1] == filters


async def test_a_list_without_filters_asks_for_everything(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [catalog_pb2.ListDiscsResponse()]

    assert [disc async for disc in shop.list_discs()] == []

    assert fake.requests == [catalog_pb2.ListDiscsRequest(page_size=PAGE_SIZE_MAX)]


async def test_a_page_that_was_not_answered_is_asked_for_again(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [
        order_pb2.ListOrdersResponse(orders=[Order(id="o1")], next_page_token="t1"),
        failed(grpc.StatusCode.UNAVAILABLE),
        order_pb2.ListOrdersResponse(orders=[Order(id="o2")]),
    ]

    assert [order.id async for order in shop.list_orders()] == ["o1", "o2"]

    assert [request.page_token for request in fake.requests] == ["", "t1", "t1"]


async def test_a_walk_that_never_ends_is_ended(
    fake: FakeShop, shop: RecordShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGES_MAX", 3)
    fake.script = [order_pb2.ListOrdersResponse(next_page_token="again")]

    with pytest.raises(RuntimeError, match="more than 3 pages"):
        assert [order async for order in shop.list_orders()] == []

    assert len(fake.requests) == 3
