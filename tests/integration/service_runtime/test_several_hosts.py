"""Of several servers in POSTGRES_HOST the pool uses the one that takes writes, whatever the others do, and leaves it when it does not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from grpc_health.v1 import health_pb2

from local_shop.ports import HOST, free_port
from local_shop.postgres import LocalPostgres
from service_runtime.database import (
    RELEASE_TIMEOUT_S,
    Database,
    DatabaseUnavailable,
    DatabaseUnreachable,
    open_database,
)
from service_runtime.settings import DatabaseSettings
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.health_watch import health_of
from tests.support.standby import frozen, standby_of

HOST_TIMEOUT_S = 0.6
COMMAND_TIMEOUT_S = 0.5
# What a busy machine may take on top.
MARGIN_S = 1.0
WRITE = "INSERT INTO written SELECT RETURNING inet_server_port() AS port"


@contextmanager
def mute_host() -> Iterator[int]:
    """Yields a port where connections are taken and never answered, as by a host that is frozen."""
    with socket.create_server((HOST, 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[LocalPostgres]:
    """A server with a table to write to."""
    with LocalPostgres(data_dir=tmp_path / "primary", sync_new_files=False) as server:
        yield server


@pytest.fixture
async def admin(primary: LocalPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(primary.admin_dsn)
    await connection.execute("CREATE TABLE written ()")
    yield connection
    connection.terminate()


@pytest.fixture
def standby(admin: asyncpg.Connection, primary: LocalPostgres, tmp_path: Path) -> Iterator[LocalPostgres]:
    """A hot standby of the primary's."""
    with standby_of(primary, tmp_path / "standby") as server:
        yield server


def database_on(server: LocalPostgres, *ports: int, **settings: float) -> AbstractAsyncContextManager[Database]:
    """Opens a pool on the servers at these ports, in this order."""
    return open_database(
        DatabaseSettings(
            postgres_host=",".join(f"{HOST}:{port}" for port in ports),
            postgres_user="postgres",
            postgres_password=server.admin_password,
            postgres_db="postgres",
            postgres_host_timeout_s=settings.get("host_timeout_s", HOST_TIMEOUT_S),
            postgres_acquire_timeout_s=settings.get("acquire_timeout_s", 3 * HOST_TIMEOUT_S + MARGIN_S),
            postgres_command_timeout_s=settings.get("command_timeout_s", COMMAND_TIMEOUT_S),
        )
    )


async def written_at(database: Database) -> int:
    """Writes, and answers the port of the server that took it."""
    row = await database.fetchrow(WRITE)
    assert row is not None
    return int(row["port"])


async def port_or_none(database: Database) -> int | None:
    """Writes; answers where, or None if the database was UNAVAILABLE. Nothing else may come out of it."""
    try:
        return await written_at(database)
    except DatabaseUnavailable:
        return None


async def promote(standby: LocalPostgres) -> None:
    connection = await asyncpg.connect(standby.admin_dsn)
    assert await connection.fetchval("SELECT pg_promote(wait_seconds => 30)")
    await connection.close()


async def test_dead_and_frozen_hosts_and_standbys_are_passed_over(
    primary: LocalPostgres, standby: LocalPostgres
) -> None:
    with mute_host() as mute:
        async with database_on(primary, free_port(), mute, standby.port, primary.port) as database:
            async with asyncio.timeout(HOST_TIMEOUT_S + MARGIN_S):
                assert await written_at(database) == primary.port
            # The last good one is first: many new connections at once do not wait for the frozen host again.
            async with asyncio.timeout(HOST_TIMEOUT_S):
                assert {await each for each in [written_at(database) for _ in range(2)]} == {primary.port}
                assert set(await asyncio.gather(*(written_at(database) for _ in range(6)))) == {primary.port}


async def test_a_server_that_is_read_only_by_its_settings_is_passed_over(
    admin: asyncpg.Connection, primary: LocalPostgres, postgres: ProvisionedPostgres
) -> None:
    await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await admin.execute("SELECT pg_reload_conf()")
    await eventually(lambda: admin.fetchval("SHOW default_transaction_read_only"), lambda value: value == "on")
    async with database_on(primary, primary.port) as database:
        with pytest.raises(DatabaseUnreachable):
            await written_at(database)


async def test_callers_with_little_patience_get_past_a_frozen_host_together(
    admin: asyncpg.Connection, primary: LocalPostgres
) -> None:
    with mute_host() as mute:
        async with database_on(primary, mute, primary.port, host_timeout_s=60, acquire_timeout_s=0.5) as database:
            with pytest.raises(DatabaseUnreachable):
                await written_at(database)
            assert await written_at(database) == primary.port


async def test_a_primary_that_becomes_read_only_is_left(
    admin: asyncpg.Connection, primary: LocalPostgres, standby: LocalPostgres
) -> None:
    async with database_on(primary, primary.port, standby.port) as database:
        assert set(await asyncio.gather(*(written_at(database) for _ in range(4)))) == {primary.port}
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
        await eventually(lambda: port_or_none(database), lambda port: port is None)
        await promote(standby)
        assert await eventually(lambda: port_or_none(database), lambda port: port is not None) == standby.port
        assert set(await asyncio.gather(*(written_at(database) for _ in range(4)))) == {standby.port}


async def test_a_sign_of_life_is_one_of_writes(admin: asyncpg.Connection, primary: LocalPostgres) -> None:
    async def pings() -> bool:
        try:
            await database.ping()
        except DatabaseUnavailable:
            return False
        return True

    async with database_on(primary, primary.port) as database:
        await database.ping()
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
        await eventually(pings, lambda answered: not answered)
        await admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await admin.execute("SELECT pg_reload_conf()")
        await eventually(pings, bool)


async def test_a_primary_that_freezes_is_left_and_not_gone_back_to(
    primary: LocalPostgres, standby: LocalPostgres
) -> None:
    async with database_on(primary, primary.port, standby.port) as database:
        assert set(await asyncio.gather(*(written_at(database) for _ in range(4)))) == {primary.port}
        with frozen(primary):
            await promote(standby)
            # One statement that is never answered is enough: the other connections are not asked, one after the other.
            async with asyncio.timeout(COMMAND_TIMEOUT_S + MARGIN_S):
                assert await port_or_none(database) is None
            async with asyncio.timeout(HOST_TIMEOUT_S + MARGIN_S):
                assert set(await asyncio.gather(*(written_at(database) for _ in range(4)))) == {standby.port}
        assert set(await asyncio.gather(*(written_at(database) for _ in range(8)))) == {standby.port}


async def test_a_primary_that_was_replaced_and_does_not_know_it_is_left(
    admin: asyncpg.Connection, primary: LocalPostgres, standby: LocalPostgres
) -> None:
    async with database_on(primary, primary.port, standby.port) as database:
        assert await written_at(database) == primary.port
        # Its commits wait for a standby that follows another one by now.
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'gone'")
        await admin.execute("SELECT pg_reload_conf()")
        await promote(standby)
        assert await eventually(lambda: port_or_none(database), lambda port: port != primary.port) is None
        async with asyncio.timeout(HOST_TIMEOUT_S + MARGIN_S):
            assert await written_at(database) == standby.port
        await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await admin.execute("SELECT pg_reload_conf()")


async def test_a_cancelled_statement_does_not_hold_its_caller_on_a_frozen_server(
    admin: asyncpg.Connection, primary: LocalPostgres
) -> None:
    async with database_on(primary, primary.port, command_timeout_s=60) as database:
        assert await written_at(database) == primary.port
        with frozen(primary):
            started_s = asyncio.get_running_loop().time()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(COMMAND_TIMEOUT_S / 2):
                    await database.ping()
            assert asyncio.get_running_loop().time() - started_s < RELEASE_TIMEOUT_S + MARGIN_S
        assert await eventually(lambda: port_or_none(database), lambda port: port is not None) == primary.port


async def test_a_service_serves_with_a_list_of_hosts(fresh_shop: FreshShops, postgres: ProvisionedPostgres) -> None:
    with mute_host() as mute:
        hosts = {"POSTGRES_HOST": f"{HOST}:{mute},{HOST}:{free_port()},{HOST}"}
        shop = await fresh_shop(settings=dict.fromkeys(("catalog", "customer", "order"), hosts))
        async with health_of(shop.local.customer_addr) as health:
            assert await health.check("") == health_pb2.HealthCheckResponse.SERVING
        assert (await shop.make_customer()).active
