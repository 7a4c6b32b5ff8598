"""Where the catalog and its database come from. Only this file knows."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import pytest

from catalog_service.settings import StrategyName
from local_shop.copies import copy_databases, drop_databases
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.integration.catalog_service.shelf import Shelf
from tests.integration.catalog_service.strategy_room import Room, open_room
from tests.integration.stock_room import StockRoom
from tests.opened_shop import OpenedShop

CONNECT_TIMEOUT_S = 10.0


@pytest.fixture(scope="session")
def discs(shop: OpenedShop) -> Shelf:
    """CatalogService of the shared shop."""
    return Shelf(shop.catalog)


@pytest.fixture(scope="session")
def stock(shop: OpenedShop) -> StockRoom:
    """StockService of the shared shop."""
    return StockRoom(shop.stock)


@pytest.fixture(scope="module")
def spare_database(postgres: ProvisionedPostgres) -> Iterator[str]:
    """The name of a database like the catalog's, which no service uses."""
    copies = copy_databases(postgres.server, uuid4().hex)
    yield copies["catalog"]
    drop_databases(postgres.server, copies)


@pytest.fixture
async def as_service(postgres: ProvisionedPostgres, spare_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the spare database with the service's rights."""
    dsn = postgres.dsn(spare_database, "catalog_service")
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close(timeout=CONNECT_TIMEOUT_S)


@pytest.fixture
async def as_owner(postgres: ProvisionedPostgres, spare_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the spare database with the rights of the tables' owner."""
    dsn = postgres.dsn(spare_database, "catalog_owner")
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close(timeout=CONNECT_TIMEOUT_S)


@pytest.fixture(scope="module", params=list(StrategyName), ids=str)
async def room(request: pytest.FixtureRequest, postgres: ProvisionedPostgres) -> AsyncIterator[Room]:
    """Each strategy in turn, in a shop of its own for a module's tests."""
    async with AsyncExitStack() as stack, open_room(postgres, FreshShops(postgres, stack), request.param) as room:
        yield room
