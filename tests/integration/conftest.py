"""The shared shop in a test's words, and ways into its databases."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import ProvisionedPostgres
from tests.integration.order_desk import OrderDesk
from tests.integration.stock_room import StockRoom
from tests.opened_shop import OpenedShop

CONNECT_TIMEOUT_S = 10.0


@pytest.fixture(scope="session")
def stock(shop: OpenedShop) -> StockRoom:
    """The stock room of the shared shop."""
    return StockRoom(shop.stock)


@pytest.fixture(scope="session")
def orders(shop: OpenedShop) -> OrderDesk:
    """The order desk of the shared shop."""
    return OrderDesk(shop.order)


@pytest.fixture
async def catalog_admin(postgres: ProvisionedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The superuser in the shared shop's catalog database."""
    connection = await asyncpg.connect(postgres.admin_dsn("catalog"), timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close()


@pytest.fixture
async def order_admin(postgres: ProvisionedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The superuser in the shared shop's order database."""
    connection = await asyncpg.connect(postgres.admin_dsn("orders"), timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close()
