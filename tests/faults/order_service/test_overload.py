"""More orders at once than the service has said it takes."""

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from recordshop.errors import Overloaded
from recordshop.order.v1 import order_pb2
from tests.faults.answers import status_of
from tests.faults.books import OnDisk
from tests.faults.stage import CALL_TIMEOUT_S, Stage

if TYPE_CHECKING:
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub


async def heard(stub: "OrderServiceAsyncStub") -> None:
    """Waits until the service has taken up what was sent to it before."""
    await stub.ListOrders(order_pb2.ListOrdersRequest(page_size=1), timeout=CALL_TIMEOUT_S)


async def test_beyond_its_limit_the_service_refuses_at_once_and_records_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    taken, refused = [f"taken-{uuid4()}" for _ in range(3)], f"refused-{uuid4()}"
    async with stage.second_order_service(PLACEMENTS_WAITING_MAX="2") as (process, stub):
        async with stage.failpoints.trap("order.customer_known", pid=process.pid) as trap:
            calls = [asyncio.create_task(stage.place(taken[0], {disc: 1}, stub=stub))]
            await trap.reached()
            # One group is under way; these two wait for the next one.
            calls += [asyncio.create_task(stage.place(request_id, {disc: 1}, stub=stub)) for request_id in taken[1:]]
            await asyncio.sleep(0)
            await heard(stub)
            with pytest.raises(Overloaded) as raised:
                await stage.place(refused, {disc: 1}, stub=stub)
            assert (raised.value.retry_after_s or 0) > 0
        assert {status_of(order) for order in await asyncio.gather(*calls)} == {"CONFIRMED"}
        assert await stage.books.on_disk(stage.order_id(refused)) == OnDisk(None, None, 0)
        # As soon as there is room again, the same request is taken.
        assert status_of(await stage.place(refused, {disc: 1}, stub=stub)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_beyond_its_limit_a_cancel_is_refused_at_once_and_changes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    first, second = [await stage.place(f"settled-{uuid4()}", {disc: 1}) for _ in range(2)]
    async with stage.second_order_service(CANCELS_RUNNING_MAX="1") as (process, stub):
        async with stage.failpoints.trap("order.marked_cancelling", pid=process.pid) as trap:
            cancelling = asyncio.create_task(stage.cancel(first.id, stub=stub))
            await trap.reached()
            with pytest.raises(Overloaded) as raised:
                await stage.cancel(second.id, stub=stub)
            assert (raised.value.retry_after_s or 0) > 0
        assert status_of(await cancelling) == "CANCELLED"
    assert status_of(await stage.client.get_order(second.id)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_an_order_whose_time_was_up_before_it_was_taken_in_is_dropped(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=9), f"expired-{uuid4()}"
    async with stage.failpoints.trap("order.customer_known") as trap:
        ahead = asyncio.create_task(stage.place(f"ahead-{uuid4()}", {disc: 1}))
        held = await trap.reached()
        # It waits for the group that is under way, and its time is up before that ends.
        call = stage.shop.order.CreateOrder(stage.request(request_id, {disc: 1}), timeout=0.2)
        await asyncio.wait([asyncio.ensure_future(call.code())])
        held.go()
    assert status_of(await ahead) == "CONFIRMED"
    # One that comes after it on the same path has been taken in: the dropped one had its chance.
    await stage.place(f"after-{uuid4()}", {disc: 1})
    assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk(None, None, 0)
    await stage.promise_kept(disc)
