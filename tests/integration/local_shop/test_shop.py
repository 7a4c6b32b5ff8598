"""The three services as processes: up together, down together, and under the test's hands in between."""

import asyncio
import signal
import socket
from itertools import product

import asyncpg
import grpc
import pytest

from local_shop.copies import copy_databases, drop_databases
from local_shop.errors import LocalShopError, PortTaken, ServiceFailed
from local_shop.ports import free_port
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from local_shop.provision import DATABASES
from local_shop.shop import LocalShop, ShopOptions
from recordshop.catalog.v1 import catalog_pb2
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.opened_shop import OpenedShop


def catalog_process(postgres: ProvisionedPostgres, port: int, **settings: str) -> ServiceProcess:
    right = {
        "POSTGRES_HOST": postgres.server.host,
        "POSTGRES_PORT": str(postgres.server.port),
        "POSTGRES_USER": "catalog_service",
        "POSTGRES_PASSWORD": postgres.passwords["catalog_service"],
        "POSTGRES_DB": "catalog",
        "CATALOG_PORT": str(port),
    }
    return ServiceProcess(
        name="catalog_service",
        port=port,
        program=("-m", "catalog_service"),
        settings=right | settings,
        log=FileLog(postgres.folder / f"catalog-{port}.log"),
    )


async def test_a_shop_of_its_own_has_the_seed_and_is_another_one(shop: OpenedShop, fresh_shop: FreshShops) -> None:
    disc = await shop.make_disc()
    fresh = await fresh_shop()
    seeded = catalog_pb2.GetDiscRequest(id="bcd8a0e9-dc0a-4ae7-a783-458542e2cc39")
    assert (await fresh.catalog.GetDisc(seeded, timeout=10)).artist == "Hohpe"
    with pytest.raises(grpc.aio.AioRpcError):
        await fresh.catalog.GetDisc(catalog_pb2.GetDiscRequest(id=disc.id), timeout=10)


async def test_copied_databases_admit_only_their_service_and_their_owner(postgres: ProvisionedPostgres) -> None:
    copies = copy_databases(postgres.server, "admission")
    for target, role in product(DATABASES, [role for each in DATABASES for role in (each.owner, each.role)]):
        dsn = postgres.dsn(copies[target.service], role)
        if role in (target.owner, target.role):
            await (await asyncpg.connect(dsn, timeout=5)).close()
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
                await asyncpg.connect(dsn, timeout=5)
    drop_databases(postgres.server, copies)


async def test_a_killed_service_serves_again_on_its_port(fresh_shop: FreshShops) -> None:
    fresh = await fresh_shop()
    disc = await fresh.make_disc(stock=7)
    fresh.local.catalog.kill()
    assert fresh.local.catalog.exit_code == -signal.SIGKILL
    fresh.local.catalog.start()
    await asyncio.to_thread(fresh.local.catalog.wait_serving)
    request = catalog_pb2.GetDiscRequest(id=disc.id)
    assert (await fresh.catalog.GetDisc(request, timeout=10, wait_for_ready=True)).stock == 7


async def test_a_paused_service_answers_when_it_goes_on(fresh_shop: FreshShops) -> None:
    fresh = await fresh_shop()
    request = catalog_pb2.ListDiscsRequest(page_size=1)
    await fresh.catalog.ListDiscs(request, timeout=10)
    fresh.local.catalog.pause()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await fresh.catalog.ListDiscs(request, timeout=0.3)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    fresh.local.catalog.resume()
    await fresh.catalog.ListDiscs(request, timeout=10)


async def test_terminating_drains_and_exits_with_0(fresh_shop: FreshShops) -> None:
    fresh = await fresh_shop()
    assert [process.terminate() for process in fresh.local.processes] == [0, 0, 0]


def test_a_service_that_ends_before_it_serves_shows_its_last_words(postgres: ProvisionedPostgres) -> None:
    process = catalog_process(postgres, free_port(), POSTGRES_PORT="no number")
    process.start()
    with pytest.raises(ServiceFailed, match=r"(?s)exit code 2.*POSTGRES_PORT"):
        process.wait_serving()


def test_a_service_without_its_database_does_not_serve_in_time(postgres: ProvisionedPostgres) -> None:
    process = catalog_process(postgres, free_port(), POSTGRES_PORT=str(free_port()))
    process.start()
    try:
        with pytest.raises(ServiceFailed, match="does not serve in time"):
            process.wait_serving(timeout_s=3)
    finally:
        process.stop()


def test_a_port_that_another_program_answers_on_is_not_mistaken_for_the_services_own(
    postgres: ProvisionedPostgres, local_shop: LocalShop
) -> None:
    process = catalog_process(postgres, local_shop.catalog.port)
    process.start()
    with pytest.raises(PortTaken, match="cannot listen"):
        process.wait_serving()


def test_a_shop_without_ports_of_its_choice_takes_others_when_one_is_taken(
    postgres: ProvisionedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [free_port() for _ in range(5)]
    with socket.create_server(("127.0.0.1", 0)) as other:
        choices = iter([[*ports[:2], other.getsockname()[1]], ports[2:]])
        monkeypatch.setattr("local_shop.shop.free_ports", lambda _: next(choices))
        options = ShopOptions(log_of=lambda service: FileLog(postgres.folder / f"{service}-again.log"))
        with LocalShop(postgres.server, postgres.passwords, options) as shop:
            assert [process.port for process in shop.processes] == ports[2:]


async def test_a_service_is_not_started_from_a_thread_that_may_end(postgres: ProvisionedPostgres) -> None:
    with pytest.raises(LocalShopError, match="main thread"):
        await asyncio.to_thread(catalog_process(postgres, free_port()).start)
