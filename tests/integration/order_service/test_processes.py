"""The services as processes: what they do with wrong settings, a port in use, and SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from local_shop.processes import ServiceProcess
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.health_watch import NOT_SERVING, SERVING, health_of
from tests.integration.order_desk import CONFIRMED, OrderDesk
from tests.integration.order_service.conftest import database_of
from tests.integration.stock_room import RESERVED, StockRoom, new_id
from tests.opened_shop import OpenedShop

ROOT = Path(__file__).parents[3]
EXIT_TIMEOUT_S = 60.0
PASSWORD = "never-to-be-shown"
SERVICES = ["catalog", "customer", "order"]
WHO_WAITS_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"


async def run_to_its_end(service: str, **settings: str) -> tuple[int | None, str]:
    """Run a service's process that is to end by itself; return its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"{service}_service"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **settings},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(EXIT_TIMEOUT_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, said.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_wrong_settings_are_all_named_at_once_without_their_values(service: str) -> None:
    code, said = await run_to_its_end(
        service,
        POSTGRES_PORT="no-number",
        POSTGRES_PASSWORD=PASSWORD,
        POSTGRES_SCHEMA="public; DROP TABLE orders",
        POSTGRES_POOL_SIZE_MAX="0",
        DRAIN_TIMEOUT_S="-1",
        LOG_LEVEL="loud",
        **{f"{service.upper()}_PORT": "65536", "CATALOG_ADDR": "nowhere"},
    )
    assert code == 2
    wrong = ["POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_SCHEMA", "POSTGRES_POOL_SIZE_MAX"]
    wrong += ["DRAIN_TIMEOUT_S", "LOG_LEVEL", f"{service.upper()}_PORT"]
    if service == "order":
        wrong.append("CATALOG_ADDR")
    assert [name for name in wrong if name not in said] == []
    assert PASSWORD not in said
    assert "no-number" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("service", SERVICES)
async def test_a_port_in_use_ends_the_second_process_with_1_and_a_message(shop: OpenedShop, service: str) -> None:
    port = getattr(shop.local, service).port
    code, said = await run_to_its_end(
        service,
        POSTGRES_USER="nobody",
        POSTGRES_PASSWORD=PASSWORD,
        POSTGRES_DB="nothing",
        **{f"{service.upper()}_PORT": str(port)},
    )
    assert code == 1
    assert f"127.0.0.1:{port}" in said
    assert "in use" in said
    assert "Traceback" not in said
    assert PASSWORD not in said


async def ended(process: ServiceProcess) -> int | None:
    """Wait until a process that was asked to end has ended, and return its exit code."""

    async def exit_code() -> int | None:
        return process.exit_code

    return await eventually(exit_code, lambda code: code is not None)


async def no_longer_listens(process: ServiceProcess) -> None:
    """Wait until nobody can connect any more."""

    async def connects() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", process.port)
        except ConnectionRefusedError:
            return False
        except ConnectionResetError:
            # It was on its way to be taken when the port was closed.
            return True
        writer.close()
        return True

    await eventually(connects, lambda connected: not connected)


@asynccontextmanager
async def sigterm(process: ServiceProcess) -> AsyncIterator[None]:
    """Ask a process to end; inside, it is NOT_SERVING and takes no connections; at the end, it has exited with 0."""
    async with health_of(process.address) as health, asyncio.timeout(EXIT_TIMEOUT_S):
        watch = health.changes("")
        assert await anext(watch) == SERVING
        os.kill(process.pid, signal.SIGTERM)
        assert await anext(watch) == NOT_SERVING
        await no_longer_listens(process)
        assert process.exit_code is None
        yield
        assert await ended(process) == 0


async def test_sigterm_lets_a_running_reservation_finish_and_exits_with_0(
    postgres: ProvisionedPostgres, fresh_shop: FreshShops
) -> None:
    fresh = await fresh_shop()
    stock, disc = StockRoom(fresh.stock), await fresh.make_disc(stock=5)
    admin = await asyncpg.connect(postgres.admin_dsn(database_of(fresh.local.catalog_dsn)), timeout=10)
    holding = admin.transaction()
    await holding.start()
    await admin.execute("SELECT FROM discs WHERE id = $1 FOR UPDATE", UUID(disc.id))
    running = asyncio.ensure_future(stock.reserve(new_id(), {disc.id: 2}))
    await eventually(lambda: admin.fetchval(WHO_WAITS_FOR_ME), lambda waiting: waiting == 1)
    async with sigterm(fresh.local.catalog):
        assert not running.done()
        await holding.rollback()
        assert (await running).state == RESERVED
    assert await admin.fetchval("SELECT stock FROM discs WHERE id = $1", UUID(disc.id)) == 3
    await admin.close()


async def test_sigterm_lets_a_running_order_finish_and_exits_with_0(
    postgres: ProvisionedPostgres, fresh_shop: FreshShops
) -> None:
    # However long the end takes to be noticed here, the order waits for the catalog.
    patient = dict.fromkeys(("CATALOG_TIMEOUT_S", "GROUP_TIMEOUT_S"), str(EXIT_TIMEOUT_S))
    fresh = await fresh_shop(settings={"order": patient})
    orders, disc, customer = OrderDesk(fresh.order), await fresh.make_disc(stock=5), await fresh.make_customer()
    admin = await asyncpg.connect(postgres.admin_dsn(database_of(fresh.local.order_dsn)), timeout=10)
    fresh.local.catalog.pause()
    running = asyncio.ensure_future(orders.create(customer.id, {disc.id: 2}, "r"))
    pending = "SELECT count(*) FROM orders WHERE status = 'PENDING'"
    await eventually(lambda: admin.fetchval(pending), lambda count: count == 1)
    async with sigterm(fresh.local.order):
        assert not running.done()
        fresh.local.catalog.resume()
        order = await running
        assert (order.status, order.lines[0].quantity) == (CONFIRMED, 2)
    assert await admin.fetchval("SELECT status FROM orders WHERE id = $1", UUID(order.id)) == "CONFIRMED"
    await admin.close()
