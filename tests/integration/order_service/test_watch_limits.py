"""WatchOrder's limit, and its end with the process; what it tells is tested in tests/faults."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from recordshop.order.v1 import order_pb2
from tests.conftest import FreshShops
from tests.faults.waiting import eventually
from tests.integration.order_desk import PENDING, order_id, order_request
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import new_id
from tests.opened_shop import OpenedShop

WATCHES_MAX = 3
TIMEOUT_S = 30.0
# A process may take this long over its end, far less than what it gives its calls.
ENDED_S = 20.0
SETTINGS = {"WATCHES_MAX": str(WATCHES_MAX), "CATALOG_TIMEOUT_S": "0.5", "DRAIN_TIMEOUT_S": "60"}


@pytest.fixture
async def undecided(fresh_shop: FreshShops) -> tuple[OpenedShop, str]:
    """A shop without a catalog, and an order that stays PENDING."""
    shop = await fresh_shop(settings={"order": SETTINGS})
    customer, disc, request_id = (await shop.make_customer()).id, (await shop.make_disc(stock=1)).id, new_id()
    shop.local.catalog.kill()
    request = order_request(customer, {disc: 1}, request_id)
    assert (await refusal_of(shop.order.CreateOrder(request, timeout=TIMEOUT_S))).reason == "ORDER_PENDING"
    return shop, order_id(customer, request_id)


@asynccontextmanager
async def watching(shop: OpenedShop, watched_id: str) -> AsyncIterator[Any]:
    call = shop.order.WatchOrder(order_pb2.WatchOrderRequest(id=watched_id), timeout=TIMEOUT_S)
    try:
        yield call
    finally:
        call.cancel()


async def test_more_watches_than_the_limit_are_refused_until_one_ends(undecided: tuple[OpenedShop, str]) -> None:
    shop, watched_id = undecided

    async def is_let_in() -> bool:
        async with watching(shop, watched_id) as call:
            try:
                return bool((await call.read()).status == PENDING)
            except grpc.aio.AioRpcError:
                return False

    async with AsyncExitStack() as stack:
        for _ in range(WATCHES_MAX):
            call = await stack.enter_async_context(watching(shop, watched_id))
            assert (await call.read()).status == PENDING
        async with watching(shop, watched_id) as refused:
            refusal = await refusal_of(refused.read())
        assert refusal.says(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        call.cancel()
        await eventually(is_let_in, bool)


async def test_a_process_that_is_told_to_end_ends_its_watches_at_once(undecided: tuple[OpenedShop, str]) -> None:
    shop, watched_id = undecided
    async with watching(shop, watched_id) as call:
        assert (await call.read()).status == PENDING
        started_s = time.monotonic()
        ending = asyncio.create_task(asyncio.to_thread(shop.local.order.terminate))
        assert (await refusal_of(call.read())).says(grpc.StatusCode.UNAVAILABLE, "WATCH_ENDED")
        assert await ending == 0
        assert time.monotonic() - started_s < ENDED_S
