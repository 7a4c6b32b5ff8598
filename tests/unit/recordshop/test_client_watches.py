"""Watches of the client: they outlive their streams, and end when the caller's time is up."""

import grpc
import pytest

from recordshop.catalog.v1 import stock_pb2
from recordshop.client import DeadlineExceeded, OrderNotFound, RecordShop, RetryPolicy, RevisionTooOld
from recordshop.errors import NotAccepted, Overloaded
from recordshop.order.v1 import order_pb2
from tests.unit.recordshop.fake_shop import End, FakeShop, Silence, failed

GONE = failed(grpc.StatusCode.UNAVAILABLE, "WATCH_ENDED")
PENDING = order_pb2.Order(id="o1", status=order_pb2.ORDER_STATUS_PENDING)
CONFIRMED = order_pb2.Order(id="o1", status=order_pb2.ORDER_STATUS_CONFIRMED)


def changes(*told: tuple[str, int]) -> stock_pb2.WatchStockResponse:
    return stock_pb2.WatchStockResponse(
        changes=[stock_pb2.StockChange(disc_id=disc_id, revision=revision) for disc_id, revision in told]
    )


def request(**revisions: int | None) -> stock_pb2.WatchStockRequest:
    discs = [stock_pb2.WatchedDisc(disc_id=disc_id, revision=revision) for disc_id, revision in revisions.items()]
    return stock_pb2.WatchStockRequest(discs=discs)


async def orders(shop: RecordShop, timeout_s: float = 10.0) -> list[order_pb2.Order]:
    return [order async for order in shop.watch_order("o1", timeout_s=timeout_s)]


async def test_an_order_is_followed_to_its_end(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [PENDING, CONFIRMED, End()]
    assert await orders(shop) == [PENDING, CONFIRMED]
    assert fake.requests == [order_pb2.WatchOrderRequest(id="o1")]


async def test_an_order_is_followed_over_broken_streams_and_told_once(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [PENDING, GONE, GONE, PENDING, GONE, CONFIRMED, End()]
    assert await orders(shop) == [PENDING, CONFIRMED]
    assert len(fake.requests) == 4


async def test_an_order_that_is_not_final_in_time_is_an_error(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [PENDING, Silence()]
    with pytest.raises(DeadlineExceeded):
        await orders(shop, timeout_s=0.5)


async def test_what_asking_again_does_not_mend_is_raised_at_once(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", order_id="o1")]
    with pytest.raises(OrderNotFound):
        await orders(shop)


async def test_a_service_that_stays_away_is_told_as_what_it_last_said(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(grpc.StatusCode.UNAVAILABLE, "NOT_ACCEPTED")] * 5
    with pytest.raises(NotAccepted):
        await orders(shop)
    assert len(fake.requests) == 5


async def test_breaks_of_streams_that_stood_for_long_are_not_counted(fake: FakeShop) -> None:
    fake.script = [*[GONE] * 20, CONFIRMED, End()]
    # To this policy every stream has stood for long.
    policy = RetryPolicy(attempts_max=2, attempt_timeout_s=0.0, backoff_max_s=0.01)
    async with RecordShop(order=fake.address, retry=policy) as shop:
        assert await orders(shop) == [CONFIRMED]


async def test_a_service_with_too_many_watches_is_asked_again_when_it_says_so(fake: FakeShop, shop: RecordShop) -> None:
    overloaded = failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=0.2)
    fake.script = [overloaded, CONFIRMED, End()]
    assert await orders(shop) == [CONFIRMED]
    assert fake.times_s[1] - fake.times_s[0] >= 0.2
    fake.script = [overloaded]
    with pytest.raises(Overloaded):
        await orders(shop, timeout_s=0.1)


async def test_stock_is_followed_from_where_the_stream_broke(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [changes(("a", 4), ("b", 9), ("a", 5)), GONE, changes(("a", 6)), GONE, Silence()]
    told = [(change.disc_id, change.revision) async for change in shop.watch_stock(["a", "b", "c"], timeout_s=1.0)]
    assert told == [("a", 4), ("b", 9), ("a", 5), ("a", 6)]
    assert fake.requests == [
        request(a=None, b=None, c=None),
        request(a=5, b=9, c=None),
        request(a=6, b=9, c=None),
    ]


async def test_stock_is_followed_from_a_revision_that_the_caller_has(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [Silence()]
    assert [_ async for _ in shop.watch_stock(["a"], since={"a": 0, "b": 3}, timeout_s=0.3)] == []
    assert fake.requests == [request(a=0, b=3)]


async def test_changes_that_are_lost_are_not_passed_over(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [changes(("a", 4)), failed(grpc.StatusCode.OUT_OF_RANGE, "REVISION_TOO_OLD", disc_id="a")]
    watch = shop.watch_stock(["a"], timeout_s=10)
    assert (await anext(watch)).revision == 4
    with pytest.raises(RevisionTooOld) as raised:
        await anext(watch)
    assert raised.value.disc_ids == ("a",)


async def test_a_watch_without_time_is_refused(shop: RecordShop) -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        await orders(shop, timeout_s=0)
