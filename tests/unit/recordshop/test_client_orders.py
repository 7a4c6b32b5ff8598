import asyncio

import grpc
import pytest

from recordshop.client import (
    OrderNotCancellable,
    OrderUndecided,
    OutOfStock,
    RecordShop,
    RetryPolicy,
    ReturnExceedsSale,
)
from recordshop.errors import DeadlineExceeded, ReturnFigures, StockFigures
from recordshop.order.v1 import order_pb2
from tests.unit.recordshop.fake_shop import FakeShop, Silence, failed, lost

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
CONFIRMED = order_pb2.Order(id="o1", status=order_pb2.ORDER_STATUS_CONFIRMED)
CANCELLED = order_pb2.Order(id="o1", status=order_pb2.ORDER_STATUS_CANCELLED)
PENDING = failed(UNAVAILABLE, "ORDER_PENDING", order_id="o1")


async def test_an_order_reaches_the_wire_as_it_was_asked_for(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [CONFIRMED]

    assert await shop.create_order("c1", {"d1": 2, "d2": 1}, request_id="r1") == CONFIRMED

    lines = [
        order_pb2.OrderLineRequest(disc_id="d1", quantity=2),
        order_pb2.OrderLineRequest(disc_id="d2", quantity=1),
    ]
    wanted = order_pb2.CreateOrderRequest(customer_id="c1", lines=lines, request_id="r1")
    assert fake.requests == [wanted]
    await shop.create_order("c1", (line for line in lines), request_id="r1")
    assert fake.requests == [wanted, wanted]


async def test_all_attempts_carry_one_request_id(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [PENDING, lost(), failed(UNAVAILABLE, "NOT_ACCEPTED"), failed(UNAVAILABLE), CONFIRMED]

    assert await shop.create_order("c1", {"d1": 1}) == CONFIRMED

    assert len(fake.requests) == 5
    assert all(request == fake.requests[0] for request in fake.requests)
    assert fake.requests[0].request_id


async def test_two_orders_have_two_request_ids(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [CONFIRMED]

    await shop.create_order("c1", {"d1": 1})
    await shop.create_order("c1", {"d1": 1})

    assert fake.requests[0].request_id != fake.requests[1].request_id


async def test_an_empty_request_id_is_the_services_to_refuse(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [CONFIRMED]

    await shop.create_order("c1", {"d1": 1}, request_id="")

    assert fake.requests[0].request_id == ""


async def test_the_request_id_is_made_before_anybody_answers() -> None:
    fake = await FakeShop(CONFIRMED).start()
    await fake.die()

    async with RecordShop(order=fake.address) as shop:
        with pytest.raises(OrderUndecided) as caught:
            await shop.create_order("c1", {"d1": 1}, timeout_s=0.2)

    assert caught.value.request_id
    assert caught.value.code is UNAVAILABLE, "it tells that nobody listened, not only that the time was up"


async def test_at_the_deadline_the_order_is_undecided_and_can_be_asked_for_again(
    fake: FakeShop, hasty_shop: RecordShop
) -> None:
    fake.script = [Silence()]

    with pytest.raises(OrderUndecided) as caught:
        await hasty_shop.create_order("c1", {"d1": 1}, timeout_s=1.0)

    assert {request.request_id for request in fake.requests} == {caught.value.request_id}
    assert len(fake.requests) > 1, "an attempt that was lost left time for another"
    assert caught.value.order_id is None
    assert isinstance(caught.value.__cause__, DeadlineExceeded)
    assert isinstance(caught.value.__cause__.__cause__, grpc.aio.AioRpcError)
    fake.script = [CONFIRMED]
    assert await hasty_shop.create_order("c1", {"d1": 1}, request_id=caught.value.request_id) == CONFIRMED
    assert fake.requests[-1] == fake.requests[0]


async def test_an_undecided_order_keeps_the_order_id_that_an_earlier_attempt_was_told(
    fake: FakeShop, shop: RecordShop
) -> None:
    fake.script = [PENDING, lost()]

    with pytest.raises(OrderUndecided) as caught:
        await shop.create_order("c1", {"d1": 1})

    assert (caught.value.order_id, caught.value.reason) == ("o1", "ORDER_PENDING")


async def test_a_refused_order_is_not_tried_again_and_tells_its_figures(fake: FakeShop, shop: RecordShop) -> None:
    refusal = failed(
        grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", order_id="o1", disc_id="d1,d2", asked="3,1", left="2,10"
    )
    fake.script = [refusal, CONFIRMED]

    with pytest.raises(OutOfStock) as caught:
        await shop.create_order("c1", {"d1": 3, "d2": 1})

    assert len(fake.requests) == 1
    assert caught.value.order_id == "o1"
    assert caught.value.lines == {"d1": StockFigures(asked=3, left=2), "d2": StockFigures(asked=1, left=10)}


async def test_a_refusal_after_a_lost_attempt_is_the_answer(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [lost(), failed(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK")]

    with pytest.raises(OutOfStock):
        await shop.create_order("c1", {"d1": 3})


async def test_a_caller_who_gives_up_ends_the_attempts(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [Silence(), CONFIRMED]
    order = asyncio.create_task(shop.create_order("c1", {"d1": 1}, timeout_s=30))
    await fake.called.wait()

    order.cancel()

    with pytest.raises(asyncio.CancelledError):
        await order
    assert len(fake.requests) == 1


async def test_a_cancel_is_repeated_with_one_request_id(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(UNAVAILABLE, "ORDER_CANCELLING", order_id="o1"), CANCELLED]

    assert await shop.cancel_order("o1") == CANCELLED

    assert fake.requests[0].order_id == "o1"
    assert fake.requests[0].request_id
    assert fake.requests[0] == fake.requests[1]


async def test_a_return_reaches_the_wire_as_it_was_asked_for(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(UNAVAILABLE, "ORDER_RETURNING", order_id="o1"), CONFIRMED]

    write_off = order_pb2.RETURN_DISPOSITION_WRITE_OFF
    assert await shop.cancel_order("o1", {"d1": 2}, disposition=write_off, request_id="r1") == CONFIRMED

    wanted = order_pb2.CancelOrderRequest(
        order_id="o1",
        request_id="r1",
        lines=[order_pb2.OrderLineRequest(disc_id="d1", quantity=2)],
        disposition=write_off,
    )
    assert fake.requests == [wanted, wanted]


async def test_a_return_of_nothing_does_not_become_a_cancel_of_everything(fake: FakeShop, shop: RecordShop) -> None:
    with pytest.raises(ValueError, match="whole order"):
        await shop.cancel_order("o1", {})
    with pytest.raises(ValueError, match="whole order"):
        await shop.cancel_order("o1", iter(()))

    assert fake.requests == []


async def test_a_return_of_too_much_tells_its_figures(fake: FakeShop, shop: RecordShop) -> None:
    figures = {"disc_id": "d1,d2", "asked": "2,1", "sold": "4,1", "returned": "3,0"}
    fake.script = [failed(grpc.StatusCode.FAILED_PRECONDITION, "RETURN_EXCEEDS_SALE", order_id="o1", **figures)]

    with pytest.raises(ReturnExceedsSale) as caught:
        await shop.cancel_order("o1", {"d1": 2, "d2": 1})

    assert len(fake.requests) == 1
    assert caught.value.lines == {"d1": ReturnFigures(2, 4, 3), "d2": ReturnFigures(1, 1, 0)}


async def test_a_return_without_an_answer_is_undecided(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(UNAVAILABLE, "ORDER_RETURNING", order_id="o1")]

    with pytest.raises(OrderUndecided) as caught:
        await shop.cancel_order("o1", {"d1": 1}, request_id="r1")

    assert (caught.value.order_id, caught.value.request_id) == ("o1", "r1")


async def test_a_cancel_without_an_answer_is_undecided(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(UNAVAILABLE, "NOT_ACCEPTED")]

    with pytest.raises(OrderUndecided) as caught:
        await shop.cancel_order("o1", request_id="r1")

    assert (caught.value.order_id, caught.value.request_id) == ("o1", "r1")


async def test_a_rejected_order_is_not_cancellable(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE", order_id="o1")]

    with pytest.raises(OrderNotCancellable):
        await shop.cancel_order("o1")

    assert len(fake.requests) == 1


async def test_an_order_is_read_again_when_nobody_answers(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(UNAVAILABLE), CONFIRMED]

    assert await shop.get_order("o1") == CONFIRMED

    assert fake.requests == [order_pb2.GetOrderRequest(id="o1")] * 2


async def test_a_server_that_dies_midway_leaves_one_order() -> None:
    ledger: dict[str, order_pb2.Order] = {}

    def take_in(request: order_pb2.CreateOrderRequest) -> order_pb2.Order:
        return ledger.setdefault(request.request_id, order_pb2.Order(id=f"o{len(ledger)}"))

    def take_in_and_fall_silent(request: order_pb2.CreateOrderRequest) -> Silence:
        take_in(request)
        return Silence()

    first = await FakeShop(take_in_and_fall_silent).start()
    async with RecordShop(order=first.address, retry=RetryPolicy(attempt_timeout_s=30)) as shop:
        order = asyncio.create_task(shop.create_order("c1", {"d1": 1}, timeout_s=60))
        await first.called.wait()
        await first.die()
        second = await FakeShop(take_in).start(first.port)
        assert (await order).id == "o0"
        await second.die()

    assert len(ledger) == 1
    assert second.requests == first.requests
