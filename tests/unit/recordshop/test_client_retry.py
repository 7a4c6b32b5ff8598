import asyncio
import time

import grpc
import pytest
from google.rpc import status_pb2

from recordshop.client import NotAccepted, OrderUndecided, Overloaded, RecordShop, RetryPolicy
from recordshop.errors import (
    Failure,
    Internal,
    PermissionDenied,
    ResourceExhausted,
    ShopError,
    Unavailable,
)
from recordshop.order.v1 import order_pb2
from tests.unit.recordshop.fake_shop import Answer, FakeShop, failed, lost

CODE = grpc.StatusCode
CONFIRMED = order_pb2.Order(id="o1", status=order_pb2.ORDER_STATUS_CONFIRMED)
NOT_ACCEPTED = failed(CODE.UNAVAILABLE, "NOT_ACCEPTED")


def overloaded(retry_after_s: float | None = 0.0) -> status_pb2.Status:
    return failed(CODE.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=retry_after_s)


async def test_an_overloaded_service_is_left_alone_as_long_as_it_asked(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [overloaded(0.25), CONFIRMED]

    assert await shop.create_order("c1", {"d1": 1}) == CONFIRMED

    assert fake.times_s[1] - fake.times_s[0] >= 0.25


async def test_a_call_that_may_not_come_back_in_time_ends_at_once(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [overloaded(3600)]
    started_s = time.monotonic()

    with pytest.raises(Overloaded) as caught:
        await shop.create_order("c1", {"d1": 1}, timeout_s=60)

    assert caught.value.retry_after_s == 3600
    assert time.monotonic() - started_s < 60
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (overloaded(None), Overloaded),
        (failed(CODE.RESOURCE_EXHAUSTED), ResourceExhausted),
        (failed(CODE.ABORTED), ShopError),
        (failed(CODE.PERMISSION_DENIED), PermissionDenied),
        (failed(CODE.INTERNAL, "INTERNAL"), Internal),
    ],
)
async def test_what_no_repeat_can_mend_is_not_repeated(
    fake: FakeShop, shop: RecordShop, answer: Answer, wanted: type[ShopError]
) -> None:
    fake.script = [answer, CONFIRMED]

    with pytest.raises(wanted):
        await shop.get_order("o1")

    assert len(fake.requests) == 1


async def test_a_call_that_the_service_cancelled_is_repeated(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(CODE.CANCELLED), CONFIRMED]

    assert await shop.create_order("c1", {"d1": 1}) == CONFIRMED


async def test_attempts_have_a_limit(fake: FakeShop) -> None:
    fake.script = [failed(CODE.UNAVAILABLE)]
    policy = RetryPolicy(attempts_max=3, backoff_first_s=0.001, backoff_max_s=0.001)

    async with RecordShop(order=fake.address, retry=policy) as shop:
        with pytest.raises(Unavailable):
            await shop.get_order("o1", timeout_s=60)

    assert len(fake.requests) == 3


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ([NOT_ACCEPTED], NotAccepted),
        ([overloaded()], Overloaded),
        ([NOT_ACCEPTED, overloaded()], Overloaded),
        ([failed(CODE.PERMISSION_DENIED)], PermissionDenied),
        ([lost(), NOT_ACCEPTED], OrderUndecided),
        ([lost(), overloaded()], OrderUndecided),
        ([failed(CODE.UNAVAILABLE), failed(CODE.PERMISSION_DENIED)], OrderUndecided),
        ([failed(CODE.INTERNAL, "INTERNAL")], OrderUndecided),
        ([failed(CODE.UNKNOWN)], OrderUndecided),
        ([failed(CODE.RESOURCE_EXHAUSTED)], OrderUndecided),
    ],
)
async def test_an_order_is_undecided_unless_all_attempts_surely_did_nothing(
    fake: FakeShop, shop: RecordShop, script: list[Answer], wanted: type[ShopError]
) -> None:
    fake.script = script

    with pytest.raises(wanted) as caught:
        await shop.create_order("c1", {"d1": 1})

    assert type(caught.value) is wanted


async def test_a_call_through_the_plain_stub_is_never_repeated(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(CODE.UNAVAILABLE), CONFIRMED]

    with pytest.raises(grpc.aio.AioRpcError):
        await shop.orders.CreateOrder(order_pb2.CreateOrderRequest(request_id="r1"), timeout=5)

    assert len(fake.requests) == 1


async def test_a_call_without_time_is_refused_before_it_is_sent(fake: FakeShop, shop: RecordShop) -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        await shop.create_order("c1", {"d1": 1}, timeout_s=0)

    assert fake.requests == []


async def test_an_attempt_that_would_begin_after_the_deadline_is_not_made(
    fake: FakeShop, shop: RecordShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.script = [NOT_ACCEPTED]
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda delay_s: sleep(delay_s + 1.0))

    with pytest.raises(NotAccepted):
        await shop.create_order("c1", {"d1": 1}, timeout_s=1.0)

    assert len(fake.requests) == 1


def test_the_time_between_attempts_grows_and_has_a_limit() -> None:
    policy = RetryPolicy(backoff_first_s=0.1, backoff_max_s=1.0)
    error = Unavailable(Failure(CODE.UNAVAILABLE))

    for attempts, ceiling_s in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.0), (9, 1.0)):
        delays_s = [policy.delay_s(attempts, error) for _ in range(200)]
        assert 0 <= min(delays_s) < ceiling_s / 2 < max(delays_s) <= ceiling_s
