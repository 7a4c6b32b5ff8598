"""The queue's order: whatever the catalog's strategy, who was taken in first gets the last copies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from catalog_service.settings import StrategyName
from order_service.model import PARTITIONS
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.order_desk import ASYNC, CONFIRMED, PENDING, REJECTED, OrderDesk, order_request
from tests.integration.stock_room import DENIED, RESERVED, StockRoom
from tests.opened_shop import OpenedShop

COPIES = 25
ORDERS = 40
WHO_WAITS_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
MOVED = "UPDATE discs SET stock = stock WHERE id = $1"


@pytest.fixture(scope="module", params=list(StrategyName), ids=str)
async def strategic_shop(request: pytest.FixtureRequest, postgres: ProvisionedPostgres) -> AsyncIterator[OpenedShop]:
    """A shop whose catalog decides by one strategy."""
    async with AsyncExitStack() as stack:
        yield await FreshShops(postgres, stack)(settings={"catalog": {"STOCK_STRATEGY": request.param}})


async def taken_in(shop: OpenedShop, *discs: str, count: int) -> list[str]:
    """Place async orders of one copy of each of the discs in turn, in one call; return their ids in the order of their arrival."""
    customer = (await shop.make_customer()).id
    requests = [order_request(customer, {disc: 1}, mode=ASYNC) for _ in range(count) for disc in discs]
    results = await OrderDesk(shop.order).batch(requests)
    assert {result.order.status for result in results} == {PENDING}
    return [result.order.order_id for result in results]


async def test_the_last_copies_go_to_the_orders_that_were_taken_in_first(strategic_shop: OpenedShop) -> None:
    shop, orders, stock = strategic_shop, OrderDesk(strategic_shop.order), StockRoom(strategic_shop.stock)
    discs = [(await shop.make_disc(stock=COPIES)).id for _ in range(2)]
    catalog = shop.local.catalog
    catalog.kill()
    # Two groups, so that the second one's positions are behind all of the first one's.
    ids = [order_id for _ in range(2) for order_id in await taken_in(shop, *discs, count=ORDERS // 2)]
    catalog.start()
    await asyncio.to_thread(catalog.wait_serving)
    for place, disc in enumerate(discs):
        own_ids = ids[place::2]
        statuses = [(await orders.at_its_end(order_id)).status for order_id in own_ids]
        assert statuses == [CONFIRMED] * COPIES + [REJECTED] * (ORDERS - COPIES)
        ledger = [await stock.reservation(order_id, disc) for order_id in own_ids]
        assert [entry.state for entry in ledger] == [RESERVED] * COPIES + [DENIED] * (ORDERS - COPIES)
        left = [entry.lines[0].stock_left for entry in ledger]
        assert left == [*reversed(range(COPIES)), *[0] * (ORDERS - COPIES)], "each was decided after the one before it"
    await orders.agrees(*discs)


async def test_the_database_has_the_partitions_that_the_code_counts_on(order_admin: asyncpg.Connection) -> None:
    for table in ("queue_partitions", "queue_leases"):
        rows = await order_admin.fetch(f"SELECT partition FROM {table} ORDER BY partition")
        assert [row["partition"] for row in rows] == list(range(PARTITIONS))


async def test_an_order_whose_retries_are_used_up_is_not_passed_by_those_behind_it(
    postgres: ProvisionedPostgres,
) -> None:
    one_attempt = {"STOCK_STRATEGY": "optimistic", "OPTIMISTIC_ATTEMPTS_MAX": "1"}
    async with AsyncExitStack() as stack:
        shop = await FreshShops(postgres, stack)(settings={"catalog": one_attempt})
        admin = await asyncpg.connect(postgres.admin_dsn(urlsplit(shop.local.catalog_dsn).path.lstrip("/")), timeout=10)
        stack.push_async_callback(admin.close)
        disc, orders = (await shop.make_disc(stock=1)).id, OrderDesk(shop.order)
        async with admin.transaction():
            # The first in line has looked at the disc and waits to write; then somebody else has moved it, and it meets a conflict.
            await admin.execute(MOVED, UUID(disc))
            ids = await taken_in(shop, disc, count=3)
            await eventually(lambda: admin.fetchval(WHO_WAITS_FOR_ME), lambda count: count == 1)
        statuses = [(await orders.at_its_end(order_id)).status for order_id in ids]
        assert statuses == [CONFIRMED, REJECTED, REJECTED]
        await orders.agrees(disc)
