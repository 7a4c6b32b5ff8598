"""Where the customer service and its database come from. Only this file knows."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from local_shop.postgres import LocalPostgres
from local_shop.provision import provision
from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceStub
from tests.integration.customer_service.customer_process import (
    CustomerProcess,
    open_channel,
    running_service,
    wait_for_health,
)

if TYPE_CHECKING:
    from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceAsyncStub


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalPostgres, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("customer_postgres")
    with LocalPostgres(data_dir=folder / "postgres", sync_new_files=False) as server:
        yield server, provision(server, seed=False)


@pytest.fixture(scope="session")
def customer_dsn(postgres: tuple[LocalPostgres, dict[str, str]]) -> str:
    """The way into the service's database as the service's own role."""
    server, passwords = postgres
    return server.dsn("customer", "customer_service", passwords["customer_service"])


@pytest.fixture(scope="session")
def customer_admin_dsn(postgres: tuple[LocalPostgres, dict[str, str]]) -> str:
    """The way into the service's database as a superuser."""
    server, _ = postgres
    return server.dsn("customer", "postgres", server.admin_password)


@pytest.fixture(scope="session")
async def service(customer_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CustomerProcess]:
    async with running_service(customer_dsn, tmp_path_factory.mktemp("customer_service")) as service:
        await wait_for_health(service.address, "SERVING")
        yield service


@pytest.fixture(scope="session")
async def customers(service: CustomerProcess) -> AsyncIterator["CustomerServiceAsyncStub"]:
    """The service, as its callers see it."""
    async with open_channel(service.address) as channel:
        yield CustomerServiceStub(channel)
