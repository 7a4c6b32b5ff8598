"""One PostgreSQL and one shop for all tests, and shops of their own for tests that break one."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from local_shop.copies import copy_databases, drop_databases, make_templates
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.provision import provision
from local_shop.shop import SERVICES, LocalShop, ShopOptions
from recordshop.catalog.v1 import catalog_pb2
from recordshop.customer.v1 import customer_pb2
from tests.opened_shop import OpenedShop, opened

if TYPE_CHECKING:
    from recordshop.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub
    from recordshop.catalog.v1.stock_pb2_grpc import StockServiceAsyncStub
    from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceAsyncStub
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

# A test that kills the order service does not want to wait long for recovery.
HASTY_RECOVERY = {
    "RECOVERY_AGE_S": "0.3",
    "RECOVERY_INTERVAL_S": "0.1",
    "RECOVERY_LEASE_S": "0.5",
    "RECOVERY_BACKOFF_MAX_S": "1",
}


@dataclass(frozen=True)
class ProvisionedPostgres:
    """The tests' server, with the shop's databases migrated and seeded, and the passwords of its roles."""

    server: LocalPostgres
    passwords: Mapping[str, str]
    folder: Path

    def dsn(self, database: str, role: str) -> str:
        """The way of a service's or an owner's role into a database."""
        return self.server.dsn(database, role, self.passwords[role])

    def admin_dsn(self, database: str) -> str:
        """The superuser's way into a database."""
        return self.server.dsn(database, "postgres", self.server.admin_password)


@pytest.fixture(scope="session")
def postgres() -> Iterator[ProvisionedPostgres]:
    """One server for all tests. Do not stop it, and do not migrate its databases: make a server of your own for that."""
    with (
        tempfile.TemporaryDirectory(prefix="record-shop-tests-") as folder,
        LocalPostgres(data_dir=Path(folder) / "postgres", sync_new_files=False) as server,
    ):
        passwords = provision(server)
        make_templates(server)
        yield ProvisionedPostgres(server, passwords, Path(folder))


@pytest.fixture(scope="session")
def local_shop(postgres: ProvisionedPostgres) -> Iterator[LocalShop]:
    """The processes of the shop that all tests share. Do not stop, pause or kill them: see `fresh_shop`."""
    options = ShopOptions(log_of=lambda service: FileLog(postgres.folder / f"{service}.log"))
    with LocalShop(postgres.server, postgres.passwords, options) as shop:
        yield shop


@pytest.fixture(scope="session")
async def shop(local_shop: LocalShop) -> AsyncIterator[OpenedShop]:
    """The shop that all tests share; each makes discs and customers of its own."""
    async with opened(local_shop) as shop:
        yield shop


@pytest.fixture(scope="session")
def catalog_stub(shop: OpenedShop) -> "CatalogServiceAsyncStub":
    """CatalogService of the shared shop."""
    return shop.catalog


@pytest.fixture(scope="session")
def stock_stub(shop: OpenedShop) -> "StockServiceAsyncStub":
    """StockService of the shared shop."""
    return shop.stock


@pytest.fixture(scope="session")
def customer_stub(shop: OpenedShop) -> "CustomerServiceAsyncStub":
    """CustomerService of the shared shop."""
    return shop.customer


@pytest.fixture(scope="session")
def order_stub(shop: OpenedShop) -> "OrderServiceAsyncStub":
    """OrderService of the shared shop."""
    return shop.order


@pytest.fixture(scope="session")
def make_disc(shop: OpenedShop) -> Callable[..., Awaitable[catalog_pb2.Disc]]:
    """Creates discs in the shared shop: call and await it with `stock=3, price_cents=1_000` and the like."""
    return shop.make_disc


@pytest.fixture(scope="session")
def make_customer(shop: OpenedShop) -> Callable[..., Awaitable[customer_pb2.Customer]]:
    """Creates customers in the shared shop: call and await it, with `active=False` and the like."""
    return shop.make_customer


class FreshShops:
    """Opens shops with databases and processes of their own. `open` belongs to the main thread."""

    def __init__(self, postgres: ProvisionedPostgres, stack: AsyncExitStack) -> None:
        self._postgres = postgres
        self._stack = stack

    async def __call__(
        self,
        *,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        programs: Mapping[str, Sequence[str | Path]] | None = None,
        metrics: bool = False,
    ) -> OpenedShop:
        """Open one more, closed at the end of the test; `settings` and `programs` are by service, as in ShopOptions.

        Recovery is quick in it, unless the settings say otherwise.
        """
        suffix = uuid4().hex
        given = settings or {}
        databases = copy_databases(self._postgres.server, suffix)
        self._stack.callback(drop_databases, self._postgres.server, databases)
        options = ShopOptions(
            databases=databases,
            settings={**given, "order": {**HASTY_RECOVERY, **given.get("order", {})}},
            programs=programs or {},
            metrics_ports=dict.fromkeys(SERVICES, 0) if metrics else None,
            log_of=lambda service: FileLog(self._postgres.folder / f"{service}-{suffix}.log"),
        )
        local = self._stack.enter_context(LocalShop(self._postgres.server, self._postgres.passwords, options))
        return await self._stack.enter_async_context(opened(local))


@pytest.fixture
async def fresh_shop(postgres: ProvisionedPostgres) -> AsyncIterator[FreshShops]:
    """Opens shops of the test's own, to stop, pause, kill or spoil: call and await it, see FreshShops."""
    async with AsyncExitStack() as stack:
        yield FreshShops(postgres, stack)
