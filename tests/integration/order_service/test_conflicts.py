"""Orders that an optimistic catalog could not decide: PENDING, and settled by whoever asks again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import grpc
import pytest

from recordshop.client import OrderUndecided, RecordShop, RetryPolicy
from recordshop.order.v1 import order_pb2
from tests.conftest import ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.metrics.readings import when
from tests.integration.order_desk import CALL_TIMEOUT_S, CONFIRMED, PENDING, OrderDesk, order_id, order_request
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import new_id
from tests.opened_shop import OpenedShop

WHO_WAITS_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
MOVED = "UPDATE discs SET stock = stock WHERE id = $1"
ONE_ATTEMPT = {"STOCK_STRATEGY": "optimistic", "OPTIMISTIC_ATTEMPTS_MAX": "1"}
NO_RECOVERY = {"RECOVERY_AGE_S": "3600"}
OpenShop = Callable[..., Awaitable[OpenedShop]]


@dataclass(frozen=True)
class Rival:
    """Somebody who moves a disc's stock at the wrong moment."""

    admin: asyncpg.Connection

    @asynccontextmanager
    async def comes_first(self, disc_id: str) -> AsyncIterator[None]:
        """Commit a change of the disc when one reservation has looked at it and waits to write."""
        async with self.admin.transaction():
            await self.admin.execute(MOVED, UUID(disc_id))
            yield
            await eventually(lambda: self.admin.fetchval(WHO_WAITS_FOR_ME), lambda count: count == 1)


@asynccontextmanager
async def rival_in(shop: OpenedShop, postgres: ProvisionedPostgres) -> AsyncIterator[Rival]:
    admin = await asyncpg.connect(postgres.admin_dsn(urlsplit(shop.local.catalog_dsn).path.lstrip("/")), timeout=10)
    try:
        yield Rival(admin)
    finally:
        await admin.close()


async def test_an_order_without_a_decision_stays_pending_until_its_caller_repeats_it(
    fresh_shop: OpenShop, postgres: ProvisionedPostgres
) -> None:
    shop = await fresh_shop(settings={"catalog": ONE_ATTEMPT, "order": NO_RECOVERY})
    orders, disc = OrderDesk(shop.order), (await shop.make_disc(stock=9)).id
    customer, request_id = (await shop.make_customer()).id, new_id()
    own_id = order_id(customer, request_id)
    async with rival_in(shop, postgres) as rival:
        async with rival.comes_first(disc):
            call = asyncio.ensure_future(refusal_of(orders.create(customer, {disc: 2}, request_id)))
        assert (await call).says(grpc.StatusCode.ABORTED, "CONFLICT_RETRIES_EXHAUSTED", order_id=own_id)
        assert (await orders.get(own_id)).status == PENDING

    assert (await orders.create(customer, {disc: 2}, request_id)).status == CONFIRMED
    await orders.agrees(disc)


async def test_an_order_of_a_batch_without_a_decision_is_told_so_beside_neighbours_that_have_theirs(
    fresh_shop: OpenShop, postgres: ProvisionedPostgres
) -> None:
    shop = await fresh_shop(metrics=True, settings={"catalog": ONE_ATTEMPT, "order": NO_RECOVERY})
    orders, customer = OrderDesk(shop.order), (await shop.make_customer()).id
    disc, other = [(await shop.make_disc(stock=9)).id for _ in range(2)]
    requests = [order_request(customer, {disc: 1}, "undecided"), order_request(customer, {other: 1}, "decided")]
    async with rival_in(shop, postgres) as rival, rival.comes_first(disc):
        placing = asyncio.ensure_future(orders.batch(requests))
    undecided, decided = await placing
    assert_undecided(undecided, order_id(customer, "undecided"))
    assert decided.order.status == CONFIRMED
    await when(shop, lambda seen: seen.total("recordshop_orders_total", outcome="aborted") == 1)
    assert (await orders.get(order_id(customer, "undecided"))).status == PENDING
    again = await orders.batch(requests)
    assert [result.order.status for result in again] == [CONFIRMED, CONFIRMED]
    await orders.agrees(disc, other)


async def test_an_order_of_a_stream_without_a_decision_is_told_so_and_the_stream_goes_on(
    fresh_shop: OpenShop, postgres: ProvisionedPostgres
) -> None:
    shop = await fresh_shop(settings={"catalog": ONE_ATTEMPT, "order": NO_RECOVERY})
    orders, customer = OrderDesk(shop.order), (await shop.make_customer()).id
    disc = (await shop.make_disc(stock=9)).id
    message = order_pb2.PlaceOrdersRequest(requests=[order_request(customer, {disc: 1}, "streamed")])
    stream = shop.order.PlaceOrders(timeout=CALL_TIMEOUT_S)
    async with rival_in(shop, postgres) as rival, rival.comes_first(disc):
        await stream.write(message)
    (undecided,) = (await answer_in(stream)).results
    assert_undecided(undecided.result, order_id(customer, "streamed"))
    await stream.write(message)
    await stream.done_writing()
    (decided,) = (await answer_in(stream)).results
    assert (decided.request_id, decided.result.order.status) == ("streamed", CONFIRMED)
    assert await stream.read() is grpc.aio.EOF
    await orders.agrees(disc)


async def answer_in(stream: Any) -> order_pb2.PlaceOrdersResponse:
    """Read one answer of a stream that has more."""
    answer = await stream.read()
    assert isinstance(answer, order_pb2.PlaceOrdersResponse), answer
    return answer


def assert_undecided(result: order_pb2.CreateOrderResult, own_id: str) -> None:
    """Hold that an entry was answered as an order that stays PENDING."""
    assert result.error.code == grpc.StatusCode.ABORTED.value[0]
    assert result.error.reason == "CONFLICT_RETRIES_EXHAUSTED"
    assert result.error.metadata["order_id"] == own_id


async def test_an_order_without_a_decision_is_settled_by_recovery(
    fresh_shop: OpenShop, postgres: ProvisionedPostgres
) -> None:
    shop = await fresh_shop(settings={"catalog": ONE_ATTEMPT})
    orders, disc = OrderDesk(shop.order), (await shop.make_disc(stock=9)).id
    customer, request_id = (await shop.make_customer()).id, new_id()
    async with rival_in(shop, postgres) as rival, rival.comes_first(disc):
        call = asyncio.ensure_future(refusal_of(orders.create(customer, {disc: 2}, request_id)))
    assert (await call).reason == "CONFLICT_RETRIES_EXHAUSTED"
    settled = await eventually(
        lambda: orders.get(order_id(customer, request_id)), lambda order: order.status != PENDING
    )
    assert settled.status == CONFIRMED
    await orders.agrees(disc)


async def test_the_client_repeats_an_order_without_a_decision_and_buys_once(
    fresh_shop: OpenShop, postgres: ProvisionedPostgres
) -> None:
    shop = await fresh_shop(settings={"catalog": ONE_ATTEMPT, "order": NO_RECOVERY})
    disc, customer = (await shop.make_disc(stock=9)).id, (await shop.make_customer()).id
    async with rival_in(shop, postgres) as rival:
        async with RecordShop(order=shop.local.order_addr) as client:
            async with rival.comes_first(disc):
                buying = asyncio.ensure_future(client.create_order(customer, {disc: 2}))
            assert (await buying).status == CONFIRMED
        async with RecordShop(order=shop.local.order_addr, retry=RetryPolicy(attempts_max=1)) as client:
            async with rival.comes_first(disc):
                buying = asyncio.ensure_future(client.create_order(customer, {disc: 2}, request_id="once"))
            with pytest.raises(OrderUndecided) as raised:
                await buying
            assert raised.value.order_id == order_id(customer, "once")
            assert (await client.create_order(customer, {disc: 2}, request_id="once")).status == CONFIRMED
    await OrderDesk(shop.order).agrees(disc)
