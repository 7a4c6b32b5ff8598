"""WatchOrder: an order that is not final is followed to its end, whoever brings it there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from recordshop.error_details import error_from_rpc
from recordshop.errors import InvalidArgument, OrderCancelling, OrderNotFound, OrderPending
from recordshop.order.v1 import order_pb2
from tests.faults.answers import status_of
from tests.faults.stage import KILLED, PATIENCE_S, Stage

if TYPE_CHECKING:
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub


class Watch:
    """A stream of an order."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def next(self) -> order_pb2.Order:
        """Wait for the next message; raises a ShopError."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error
        assert message is not grpc.aio.EOF, "the watch ended"
        return message

    async def rest(self) -> list[order_pb2.Order]:
        """Collect what comes until the watch ends with OK."""
        orders = []
        while (order := await self._call.read()) is not grpc.aio.EOF:
            orders.append(order)
        assert await self._call.code() is grpc.StatusCode.OK
        return orders

    async def ends_as(self) -> list[str]:
        """Collect the statuses that come until the watch ends with OK."""
        return [status_of(order) for order in await self.rest()]


@asynccontextmanager
async def watching(stub: "OrderServiceAsyncStub", order_id: str) -> AsyncIterator[Watch]:
    call = stub.WatchOrder(order_pb2.WatchOrderRequest(id=order_id), timeout=PATIENCE_S)
    try:
        yield Watch(call)
    finally:
        call.cancel()


async def pending(stage: Stage, disc: str, quantity: int = 1) -> str:
    """Kill the catalog, and leave an order PENDING; returns its id."""
    request_id = f"watched-{uuid4()}"
    stage.catalog.kill()
    with pytest.raises(OrderPending):
        await stage.place(request_id, {disc: quantity})
    return stage.order_id(request_id)


async def test_an_order_that_is_final_is_told_once_as_get_order_tells_it(stage: Stage) -> None:
    disc = await stage.disc(stock=2)
    confirmed = await stage.place(f"watched-{uuid4()}", {disc: 2})
    refused = f"watched-{uuid4()}"
    await stage.sell_out(disc, 1)
    with pytest.raises(Exception, match="OUT_OF_STOCK"):
        await stage.place(refused, {disc: 1})
    cancelled = await stage.place(f"watched-{uuid4()}", {await stage.disc(stock=1): 1})
    await stage.cancel(cancelled.id)
    for order_id, status in (
        (confirmed.id, "CONFIRMED"),
        (stage.order_id(refused), "REJECTED"),
        (cancelled.id, "CANCELLED"),
    ):
        async with watching(stage.shop.order, order_id) as watch:
            orders = await watch.rest()
        assert orders == [await stage.client.get_order(order_id)]
        assert status_of(orders[0]) == status


async def test_a_pending_order_is_followed_until_recovery_decides_it(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    order_id = await pending(stage, disc, 3)
    async with watching(stage.shop.order, order_id) as watch:
        assert status_of(await watch.next()) == "PENDING"
        await stage.start(stage.catalog)
        [order] = await watch.rest()
    assert (status_of(order), order.lines[0].quantity, order.total_cents) == ("CONFIRMED", 3, 3 * 2_500)


async def test_a_pending_order_is_seen_to_be_refused(stage: Stage) -> None:
    order_id = await pending(stage, await stage.disc(stock=1), 2)
    async with watching(stage.shop.order, order_id) as watch:
        assert status_of(await watch.next()) == "PENDING"
        await stage.start(stage.catalog)
        [order] = await watch.rest()
    assert (status_of(order), order.reason) == ("REJECTED", "OUT_OF_STOCK")


async def test_an_order_is_followed_by_a_process_that_does_not_decide_it(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    # The second one leaves open work alone for as long as the test takes, so that the first one's recovery decides.
    async with stage.second_order_service(RECOVERY_INTERVAL_S="600") as (_, second):
        order_id = await pending(stage, disc)
        async with watching(second, order_id) as elsewhere, watching(stage.shop.order, order_id) as here:
            assert [status_of(await watch.next()) for watch in (elsewhere, here)] == ["PENDING"] * 2
            await stage.start(stage.catalog)
            assert await elsewhere.ends_as() == await here.ends_as() == ["CONFIRMED"]


async def test_a_cancel_is_followed_to_its_end(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    order_id = await pending(stage, disc)
    async with watching(stage.shop.order, order_id) as watch:
        assert status_of(await watch.next()) == "PENDING"
        with pytest.raises(OrderCancelling):
            await stage.cancel(order_id)
        assert status_of(await watch.next()) == "CANCELLING"
        async with watching(stage.shop.order, order_id) as late:
            assert status_of(await late.next()) == "CANCELLING"
            await stage.start(stage.catalog)
            assert await watch.ends_as() == await late.ends_as() == ["CANCELLED"]


async def test_what_came_back_is_told_with_the_end_of_a_return_of_the_whole(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    order = await stage.place(f"watched-{uuid4()}", {disc: 2})
    await stage.take_back(order.id, {disc: 1})
    async with stage.failpoints.trap("catalog.released") as trap:
        call = stage.shop.order.CancelOrder(
            order_pb2.CancelOrderRequest(order_id=order.id, request_id="rest"), timeout=PATIENCE_S
        )
        held = await trap.reached()
        async with watching(stage.shop.order, order.id) as watch:
            assert status_of(await watch.next()) == "CANCELLING"
            held.go()
            [order] = await watch.rest()
        await call
    assert (status_of(order), order.lines[0].returned_quantity) == ("CANCELLED", 2)


async def test_a_watch_goes_on_with_another_process_when_its_own_dies(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    order_id = await pending(stage, disc)
    async with watching(stage.shop.order, order_id) as watch:
        assert status_of(await watch.next()) == "PENDING"
        stage.order.kill()
        assert stage.order.exit_code == KILLED
        with pytest.raises(Exception, match="UNAVAILABLE"):
            await watch.next()
    await stage.start(stage.catalog)
    await stage.start(stage.order)
    async with watching(stage.shop.order, order_id) as watch:
        assert (await watch.ends_as())[-1] == "CONFIRMED"


async def test_an_order_that_nobody_knows_is_not_found_at_once(stage: Stage) -> None:
    unknown = str(uuid4())
    async with watching(stage.shop.order, unknown) as watch:
        with pytest.raises(OrderNotFound) as raised:
            await watch.next()
        assert raised.value.order_id == unknown
    async with watching(stage.shop.order, "x") as watch:
        with pytest.raises(InvalidArgument):
            await watch.next()
