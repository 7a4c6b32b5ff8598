"""Health follows the service's own database, overall and by name, for those who ask and for those who watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import grpc
import pytest

from recordshop.order.v1 import order_pb2
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.integration.health_watch import CHANGE_TIMEOUT_S, NOT_SERVING, SERVICE_UNKNOWN, SERVING, health_of
from tests.integration.order_desk import OrderDesk
from tests.integration.order_service.conftest import database_of
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import new_id
from tests.opened_shop import OpenedShop

NAMES = {
    "catalog": ["", "recordshop.catalog.v1.CatalogService", "recordshop.catalog.v1.StockService"],
    "customer": ["", "recordshop.customer.v1.CustomerService"],
    "order": ["", "recordshop.order.v1.OrderService"],
}


@asynccontextmanager
async def lost(postgres: ProvisionedPostgres, database: str) -> AsyncIterator[None]:
    """Cut everybody off from a database, and let nobody in until the end."""
    admin = await asyncpg.connect(postgres.server.admin_dsn, timeout=10)
    try:
        await admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        await admin.close()


def address_and_dsn(shop: OpenedShop, service: str) -> tuple[str, str]:
    return getattr(shop.local, f"{service}_addr"), getattr(shop.local, f"{service}_dsn")


@pytest.mark.parametrize("service", list(NAMES))
async def test_health_is_served_overall_and_by_name(shop: OpenedShop, service: str) -> None:
    async with health_of(address_and_dsn(shop, service)[0]) as health:
        for name in NAMES[service]:
            assert await health.check(name) == SERVING


async def test_a_name_that_is_not_served_is_unknown(shop: OpenedShop) -> None:
    async with health_of(shop.local.order_addr) as health:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health.check("recordshop.catalog.v1.StockService")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        assert await anext(health.changes("recordshop.catalog.v1.StockService")) == SERVICE_UNKNOWN


async def test_a_lost_database_is_told_to_those_who_ask_and_watch_and_so_is_its_return(
    postgres: ProvisionedPostgres, fresh_shop: FreshShops
) -> None:
    fresh = await fresh_shop()
    for service, names in NAMES.items():
        address, dsn = address_and_dsn(fresh, service)
        async with health_of(address) as health, asyncio.timeout(2 * CHANGE_TIMEOUT_S):
            watches = [health.changes(name) for name in names]
            assert [await anext(watch) for watch in watches] == [SERVING] * len(names)
            async with lost(postgres, database_of(dsn)):
                assert [await anext(watch) for watch in watches] == [NOT_SERVING] * len(names)
                assert [await health.check(name) for name in names] == [NOT_SERVING] * len(names)
            assert [await anext(watch) for watch in watches] == [SERVING] * len(names)
            assert [await health.check(name) for name in names] == [SERVING] * len(names)


async def test_without_its_database_the_order_service_says_ask_again_and_then_answers(
    postgres: ProvisionedPostgres, fresh_shop: FreshShops
) -> None:
    fresh = await fresh_shop()
    orders = OrderDesk(fresh.order)
    disc, customer = await fresh.make_disc(stock=5), await fresh.make_customer()
    placed = await orders.create(customer.id, {disc.id: 1})
    async with health_of(fresh.local.order_addr) as health:
        watch = health.changes("")
        assert await anext(watch) == SERVING
        async with lost(postgres, database_of(fresh.local.order_dsn)):
            assert await anext(watch) == NOT_SERVING
            for call in (
                orders.create(customer.id, {disc.id: 1}, "during-the-outage"),
                orders.get(placed.id),
                orders.page(customer_id=customer.id),
                orders.cancel(placed.id),
                orders.audit(disc.id),
            ):
                refusal = await refusal_of(call)
                assert refusal.code is grpc.StatusCode.UNAVAILABLE, refusal
            (entry,) = await orders.batch([order_pb2.CreateOrderRequest(customer_id=new_id(), request_id="x")])
            assert entry.error.reason == "INVALID_ARGUMENT"
        assert await anext(watch) == SERVING
    assert (await orders.create(customer.id, {disc.id: 1}, "during-the-outage")).lines[0].quantity == 1
    await orders.cancel(placed.id)
    await orders.agrees(disc.id)
