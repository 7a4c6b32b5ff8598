"""Where it all happens: one PostgreSQL, the databases that every shop begins with, and the shops and baselines on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.echo import ADDRESS_VARIABLE
from benchmarks.errors import BenchmarkFailed
from benchmarks.filling import fill
from benchmarks.locks import OPEN, Lock
from benchmarks.props import PROPS_VARIABLE, Props
from benchmarks.shops import BenchShop, running_shop, shop_options
from local_shop.copies import copy_databases, drop_databases, make_templates
from local_shop.people import random_cpf
from local_shop.ports import HOST, free_port
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from local_shop.provision import provision
from local_shop.shop import SERVICES, LocalShop, ShopOptions
from recordshop.catalog.v1 import catalog_pb2
from recordshop.client import RecordShop, ShopError
from recordshop.customer.v1 import customer_pb2

HOT_STOCK = 1_000_000_000
EMPTY_DISCS = 20
SHIPPED: Mapping[str, Mapping[str, str]] = {}
STOCK = 10_000_000
AT_ONCE_MAX = 50
PROPS_FILE = "props.json"


@dataclass(frozen=True)
class Stage:
    """A provisioned server with a template of a shop on it, in which customers and discs wait for the first order."""

    server: LocalPostgres
    passwords: dict[str, str]
    folder: Path
    props: Props

    @asynccontextmanager
    async def shop(
        self,
        name: str,
        *,
        settings: Mapping[str, Mapping[str, str]] = SHIPPED,
        lock: Lock = OPEN,
        ungrouped_pool: int | None = None,
        orders_filled: int = 0,
        metrics: bool = False,
    ) -> AsyncIterator[BenchShop]:
        """Run a shop on databases of its own, which go when it closes; `orders_filled` are in them before it opens.

        `settings` are further variables of the services' environment: by service, then by name; a `lock` has more of them.
        """
        databases = copy_databases(self.server, name)
        try:
            if orders_filled:
                await fill(self.server, databases, self.props, orders_filled)
            logs = self.folder / name
            logs.mkdir()
            props = self.folder / PROPS_FILE
            both = {service: {**settings.get(service, {}), **lock.settings.get(service, {})} for service in SERVICES}
            options = shop_options(databases, logs, props, settings=both, ungrouped_pool=ungrouped_pool)
            if metrics:
                options = replace(options, metrics_ports=dict.fromkeys(SERVICES, 0))
            with LocalShop(self.server, self.passwords, options) as local:
                async with running_shop(name, local, self.server, databases, lock.entrance) as shop:
                    yield shop
        finally:
            drop_databases(self.server, databases)

    @contextmanager
    def echo(self) -> Iterator[ServiceProcess]:
        """Run the empty handler."""
        port = free_port()
        process = ServiceProcess(
            name="echo",
            port=port,
            program=("-m", "benchmarks.echo"),
            settings={ADDRESS_VARIABLE: f"{HOST}:{port}", PROPS_VARIABLE: str(self.folder / PROPS_FILE)},
            log=FileLog(self.folder / "echo.log"),
        )
        process.start()
        try:
            process.wait_serving()
            yield process
        finally:
            process.stop()


@asynccontextmanager
async def opened_stage(folder: Path, *, customers: int, discs: int) -> AsyncIterator[Stage]:
    """Start PostgreSQL in `folder`, open a shop once to put customers and discs into it, and keep it as a template."""
    with LocalPostgres(data_dir=folder / "postgres") as server:
        passwords = provision(server, seed=False)
        options = ShopOptions(log_of=lambda service: FileLog(folder / f"{service}.log"))
        with LocalShop(server, passwords, options) as local:
            try:
                props = await _make_props(local, customers=customers, discs=discs)
            except ShopError as error:
                local.raise_if_ended()
                raise BenchmarkFailed(f"The shop did not answer: {error}") from error
        props.write(folder / PROPS_FILE)
        make_templates(server)
        yield Stage(server, passwords, folder, props)


async def _make_props(local: LocalShop, *, customers: int, discs: int) -> Props:
    async with RecordShop(catalog=local.catalog_addr, customer=local.customer_addr, order=local.order_addr) as shop:
        one_of_some = asyncio.Semaphore(AT_ONCE_MAX)

        async def make_customer(number: int) -> str:
            async with one_of_some:
                return (await shop.create_customer(_somebody(number))).id

        async def make_disc(name: str, stock: int) -> str:
            async with one_of_some:
                return (await shop.create_disc(_disc(name), opening_stock=stock)).id

        hot, sold_out = await make_disc("The hot one", HOT_STOCK), await make_disc("The one that is gone", 0)
        customer_ids = await asyncio.gather(*(make_customer(number) for number in range(customers)))
        disc_ids = await asyncio.gather(*(make_disc(f"One of many: {number}", STOCK) for number in range(discs)))
        empty = await asyncio.gather(*(make_disc(f"Empty at first: {number}", 0) for number in range(EMPTY_DISCS)))
        order = await shop.create_order(customer_ids[0], {hot: 1})
        return Props(
            hot_disc_id=hot,
            sold_out_disc_id=sold_out,
            disc_ids=tuple(disc_ids),
            empty_disc_ids=tuple(empty),
            customer_ids=tuple(customer_ids),
            order_hex=order.SerializeToString().hex(),
        )


def _disc(name: str) -> catalog_pb2.Disc:
    return catalog_pb2.Disc(name=name, artist="The Benchmarks", year_of_release=2022, genre="Indie", price_cents=9_990)


def _somebody(number: int) -> customer_pb2.Customer:
    return customer_pb2.Customer(
        document=random_cpf(),
        name=f"Visitor {number + 1}",
        birth_date="1990-12-31",
        email=f"visitor{number + 1}@example.com",
        phone="+55 11 91234-5678",
        active=True,
    )
