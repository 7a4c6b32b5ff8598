"""More orders at once than the service has said it takes."""

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from recordshop.errors import Overloaded
from tests.faults.answers import status_of
from tests.faults.books import OnDisk
from tests.faults.stage import Stage


async def test_beyond_its_limit_the_service_refuses_at_once_and_records_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    settled = await stage.place(f"settled-{uuid4()}", {disc: 1})
    taken, refused = [f"taken-{uuid4()}" for _ in range(2)], f"refused-{uuid4()}"
    async with stage.second_order_service(PLACEMENTS_RUNNING_MAX="2") as (process, stub):
        async with stage.failpoints.trap("order.customer_known", pid=process.pid) as trap:
            calls = [asyncio.create_task(stage.place(request_id, {disc: 1}, stub=stub)) for request_id in taken]
            for _ in calls:
                await trap.reached()
            for attempt in (partial(stage.place, refused, {disc: 1}), partial(stage.cancel, settled.id)):
                with pytest.raises(Overloaded) as raised:
                    await attempt(stub=stub)
                assert (raised.value.retry_after_s or 0) > 0
        assert {status_of(order) for order in await asyncio.gather(*calls)} == {"CONFIRMED"}
        assert await stage.books.on_disk(stage.order_id(refused)) == OnDisk(None, None, 0)
        assert status_of(await stage.client.get_order(settled.id)) == "CONFIRMED"
        # As soon as there is room again, the same request is taken.
        assert status_of(await stage.place(refused, {disc: 1}, stub=stub)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_an_order_whose_time_was_up_before_it_was_taken_in_is_dropped(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=9), f"expired-{uuid4()}"
    async with stage.failpoints.trap("order.customer_known") as trap:
        call = stage.shop.order.CreateOrder(stage.request(request_id, {disc: 1}), timeout=0.2)
        held = await trap.reached()
        await asyncio.wait([asyncio.ensure_future(call.code())])
        held.go()
    # One that comes after it on the same path has been taken in: the dropped one had its chance.
    await stage.place(f"after-{uuid4()}", {disc: 1})
    assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk(None, None, 0)
    await stage.promise_kept(disc)
