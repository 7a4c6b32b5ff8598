"""More orders at once than the service has said it takes."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recordshop.channels import open_channel
from recordshop.errors import Overloaded, ShopError
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.faults.answers import answer_of, status_of
from tests.faults.books import OnDisk
from tests.faults.stage import CALL_TIMEOUT_S, Stage
from tests.support.memory import resident_bytes

if TYPE_CHECKING:
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub


FLOOD = 3_000
FLOOD_TIMEOUT_S = 30.0
CALLERS = 300
CALLS_OF_EACH = 10
# Far more than it takes, and far less than all of them one after the other would.
SERVED_WITHIN_S = 15.0
RECOVERED_WITHIN_S = 5.0
RESIDENT_GROWTH_MAX_BYTES = 100 * 1024 * 1024


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


async def test_a_flood_is_refused_with_a_time_to_come_again_and_leaves_nothing_behind(stage: Stage) -> None:
    """Ten times the calls that it takes at once, from clients who do not wait for each other."""
    disc = await stage.disc(stock=2 * FLOOD)
    async with AsyncExitStack() as stack:
        process, stub = await stack.enter_async_context(
            stage.second_order_service(CALLS_RUNNING_MAX=str(FLOOD // 10), PLACEMENTS_WAITING_MAX=str(FLOOD // 20))
        )
        stubs = [
            order_pb2_grpc.OrderServiceStub(await stack.enter_async_context(open_channel(process.address)))
            for _ in range(4)
        ]
        for _ in range(2):
            request_ids = [f"flood-{uuid4()}" for _ in range(FLOOD)]
            resident_before = resident_bytes(process.pid)
            answers = await asyncio.gather(
                *(
                    answer_of(stage.place(request_id, {disc: 1}, stub=stubs[number % 4], timeout_s=FLOOD_TIMEOUT_S))
                    for number, request_id in enumerate(request_ids)
                )
            )
            refusals = [answer for answer in answers if isinstance(answer, ShopError)]
            assert {type(refusal) for refusal in refusals} == {Overloaded}
            assert all((refusal.retry_after_s or 0) > 0 for refusal in refusals)
            assert resident_bytes(process.pid) - resident_before < RESIDENT_GROWTH_MAX_BYTES
            # At once there is room again, for those who were refused too.
            again = next(r for r, answer in zip(request_ids, answers, strict=True) if isinstance(answer, Overloaded))
            assert await stage.books.on_disk(stage.order_id(again)) == OnDisk(None, None, 0)
            assert status_of(await stage.place(again, {disc: 1}, stub=stub)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_ten_times_as_many_callers_as_it_takes_are_served_or_refused_soon_and_it_recovers(stage: Stage) -> None:
    disc = await stage.disc(stock=CALLERS * CALLS_OF_EACH)
    served_s: list[float] = []
    refused = 0

    async def call_on(number: int, stub: "OrderServiceAsyncStub") -> None:
        nonlocal refused
        for call in range(CALLS_OF_EACH):
            begin_s = time.monotonic()
            answer = await answer_of(stage.place(f"crowd-{number}-{call}-{uuid4()}", {disc: 1}, stub=stub))
            if isinstance(answer, ShopError):
                assert isinstance(answer, Overloaded), answer
                assert (answer.retry_after_s or 0) > 0
                refused += 1
            else:
                served_s.append(time.monotonic() - begin_s)

    async with AsyncExitStack() as stack:
        process, stub = await stack.enter_async_context(
            stage.second_order_service(CALLS_RUNNING_MAX=str(CALLERS // 10), PLACEMENTS_WAITING_MAX=str(CALLERS // 20))
        )
        stubs = [
            order_pb2_grpc.OrderServiceStub(await stack.enter_async_context(open_channel(process.address)))
            for _ in range(4)
        ]
        await call_on(0, stub)
        resident_before = resident_bytes(process.pid)
        await asyncio.gather(*(call_on(number, stubs[number % 4]) for number in range(1, CALLERS)))
        after = await stage.place(f"after-{uuid4()}", {disc: 1}, stub=stub, timeout_s=RECOVERED_WITHIN_S)
        assert status_of(after) == "CONFIRMED"
        assert resident_bytes(process.pid) - resident_before < RESIDENT_GROWTH_MAX_BYTES
    assert refused > len(served_s) > CALLS_OF_EACH
    assert max(served_s) < SERVED_WITHIN_S
    await stage.promise_kept(disc)


async def test_a_service_that_has_too_much_to_do_is_healthy(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    async with stage.second_order_service(CALLS_RUNNING_MAX="2") as (process, stub):
        async with stage.failpoints.trap("order.customer_known", pid=process.pid) as trap:
            placing = asyncio.create_task(stage.place(f"busy-{uuid4()}", {disc: 1}, stub=stub))
            await trap.reached()
            waiting = asyncio.create_task(stage.place(f"waits-{uuid4()}", {disc: 1}, stub=stub))
            await asyncio.sleep(0)
            async with open_channel(process.address) as channel:
                check = health_pb2_grpc.HealthStub(channel).Check
                while True:
                    healthy = await check(health_pb2.HealthCheckRequest(), timeout=CALL_TIMEOUT_S)
                    assert healthy.status == health_pb2.HealthCheckResponse.SERVING
                    with pytest.raises(ShopError) as refused:
                        await stage.place(f"refused-{uuid4()}", {disc: 1}, stub=stub, timeout_s=0.2)
                    if isinstance(refused.value, Overloaded):
                        break
        assert {status_of(await placing), status_of(await waiting)} == {"CONFIRMED"}
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
