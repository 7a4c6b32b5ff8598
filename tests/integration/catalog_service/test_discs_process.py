"""The catalog's process without its database, without settings, and on a port that is taken."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.ports import free_port
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from recordshop.catalog.v1 import catalog_pb2_grpc
from recordshop.channels import open_channel
from tests.integration.catalog_service.shelf import CALL_TIMEOUT_S, Shelf, new_id
from tests.integration.refusals import Refusal, refusal_of
from tests.opened_shop import OpenedShop

SERVICES = ("", "recordshop.catalog.v1.CatalogService", "recordshop.catalog.v1.StockService")
EXIT_PORT_IN_USE, EXIT_BAD_SETTINGS = 1, 2
END_TIMEOUT_S = 30.0

Start = Callable[..., ServiceProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a catalog whose database's port is closed."""
    started = []

    def start_catalog(port: int, **settings: str) -> ServiceProcess:
        given = {
            "POSTGRES_PORT": str(free_port()),
            "POSTGRES_USER": "catalog_service",
            "POSTGRES_PASSWORD": "secret",
            "POSTGRES_DB": "catalog",
            "CATALOG_PORT": str(port),
        }
        catalog = ServiceProcess(
            name="catalog_service",
            port=port,
            program=("-m", "catalog_service"),
            settings={**given, **settings},
            log=FileLog(tmp_path / "catalog.log"),
        )
        started.append(catalog)
        catalog.start()
        return catalog

    yield start_catalog
    for catalog in started:
        catalog.stop()


async def test_without_its_database_the_catalog_starts_and_says_so(start: Start) -> None:
    catalog = start(free_port())
    async with open_channel(catalog.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in SERVICES:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = await health.Check(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        discs = Shelf(catalog_pb2_grpc.CatalogServiceStub(channel))
        not_accepted = Refusal(grpc.StatusCode.UNAVAILABLE, "NOT_ACCEPTED", {})
        for call in (discs.get(new_id()), discs.create(), discs.page(), discs.update(new_id(), price_cents=1)):
            assert await refusal_of(call) == not_accepted
    assert catalog.terminate() == 0


async def test_a_second_catalog_on_the_port_ends_and_takes_no_calls(start: Start, shop: OpenedShop) -> None:
    second = start(shop.local.catalog.port)
    assert await exit_code_of(second) == EXIT_PORT_IN_USE


async def test_a_catalog_with_faulty_settings_names_them_all_and_does_not_start(start: Start, tmp_path: Path) -> None:
    catalog = start(free_port(), PAGE_SIZE_MAX="0", POSTGRES_DB="")
    assert await exit_code_of(catalog) == EXIT_BAD_SETTINGS
    told = (tmp_path / "catalog.log").read_text()
    assert "setting PAGE_SIZE_MAX" in told
    assert "setting POSTGRES_DB" in told


async def exit_code_of(process: ServiceProcess) -> int | None:
    """Waits until a process has ended, and answers how."""
    ended = asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    await asyncio.wait_for(ended, END_TIMEOUT_S)
    return process.exit_code
