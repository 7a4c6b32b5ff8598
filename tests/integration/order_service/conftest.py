"""A shop whose books the tests of the audit may spoil."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import FreshShops, ProvisionedPostgres
from tests.integration.order_desk import OrderDesk
from tests.integration.stock_room import StockRoom
from tests.opened_shop import OpenedShop

CONNECT_TIMEOUT_S = 10.0
# What is not final stays so in these tests: there is nothing to wait for.
SETTLE_S = "0.3"


@dataclass(frozen=True)
class SpoiledShop:
    """A shop of its own, its desks, and the superuser in both of its ledgers."""

    shop: OpenedShop
    orders: OrderDesk
    stock: StockRoom
    catalog_admin: asyncpg.Connection
    order_admin: asyncpg.Connection


def database_of(dsn: str) -> str:
    """Return the name of the database that a DSN leads to."""
    return urlsplit(dsn).path.lstrip("/")


@pytest.fixture(scope="module")
async def spoiled(postgres: ProvisionedPostgres) -> AsyncIterator[SpoiledShop]:
    """A shop for one module's tests; each spoils discs of its own."""
    async with AsyncExitStack() as stack:
        shop = await FreshShops(postgres, stack)(settings={"order": {"AUDIT_SETTLE_S": SETTLE_S}})
        admins = []
        for dsn in (shop.local.catalog_dsn, shop.local.order_dsn):
            admin = await asyncpg.connect(postgres.admin_dsn(database_of(dsn)), timeout=CONNECT_TIMEOUT_S)
            stack.push_async_callback(admin.close)
            admins.append(admin)
        yield SpoiledShop(shop, OrderDesk(shop.order), StockRoom(shop.stock), *admins)
