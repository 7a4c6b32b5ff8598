"""Where the customer service and its database come from. Only this file knows."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from pydantic import SecretStr

from customer_service.settings import CustomerSettings
from local_shop.copies import copy_databases, drop_databases
from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceStub
from service_runtime.database import Database, open_database
from tests.conftest import ProvisionedPostgres
from tests.opened_shop import OpenedShop

if TYPE_CHECKING:
    from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceAsyncStub

CALL_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 10.0


class _Deadline(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives every call a deadline."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(timeout=CALL_TIMEOUT_S), request)


@pytest.fixture(scope="session")
async def customers(shop: OpenedShop) -> AsyncIterator["CustomerServiceAsyncStub"]:
    """CustomerService of the shared shop, each call with a deadline."""
    # Reached directly, whatever proxy the environment names.
    options, interceptors = [("grpc.enable_http_proxy", 0)], [_Deadline()]
    async with grpc.aio.insecure_channel(shop.local.customer_addr, options, interceptors=interceptors) as channel:
        yield CustomerServiceStub(channel)


@pytest.fixture(scope="session")
def read_logs(shop: OpenedShop, postgres: ProvisionedPostgres) -> Callable[[], str]:
    """Reads what the service's process of the shared shop has logged, and what its PostgreSQL has."""
    files = (postgres.folder / "customer.log", postgres.server.log_file)
    return lambda: "".join(file.read_text(encoding="utf-8") for file in files)


@pytest.fixture(scope="session")
def spare_database(postgres: ProvisionedPostgres) -> Iterator[str]:
    """The name of a database like the service's, which no service uses."""
    copies = copy_databases(postgres.server, uuid4().hex)
    yield copies["customer"]
    drop_databases(postgres.server, copies)


@pytest.fixture(scope="session")
def spare_dsn(postgres: ProvisionedPostgres, spare_database: str) -> str:
    """The service's role's way into the spare database."""
    return postgres.dsn(spare_database, "customer_service")


@pytest.fixture
async def database(postgres: ProvisionedPostgres, spare_database: str) -> AsyncIterator[Database]:
    """The spare database as the service's repository uses it."""
    settings = CustomerSettings(
        postgres_host=postgres.server.host,
        postgres_port=postgres.server.port,
        postgres_user="customer_service",
        postgres_password=SecretStr(postgres.passwords["customer_service"]),
        postgres_db=spare_database,
    )
    async with open_database(settings) as database:
        yield database


@pytest.fixture
async def as_service(spare_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the spare database with the service's rights."""
    connection = await asyncpg.connect(spare_dsn, timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close(timeout=CONNECT_TIMEOUT_S)


@pytest.fixture
async def as_owner(postgres: ProvisionedPostgres, spare_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the spare database with the rights of the table's owner."""
    connection = await asyncpg.connect(postgres.dsn(spare_database, "customer_owner"), timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close(timeout=CONNECT_TIMEOUT_S)
