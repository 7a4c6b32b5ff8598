"""What the database itself refuses a service's role, whatever the service, or whoever has its password, asks for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from local_shop.provision import DATABASES, ServiceDatabase
from order_service.settings import OrderSettings
from recordshop.order.v1 import order_pb2
from service_runtime.database import open_database
from tests.conftest import ProvisionedPostgres
from tests.integration.order_desk import CANCELLED, CONFIRMED, OrderDesk, order_id
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import new_id
from tests.opened_shop import OpenedShop, random_cpf

CONNECT_TIMEOUT_S = 10.0
BITE_TIMEOUT_S = 30.0
CATALOG, CUSTOMER, ORDER = DATABASES
# Rows of these come and go: the journal of open work, and the queue. Everything else is a ledger.
COME_AND_GO = {"open_work", "order_queue", "pending_anonymizations", "queue_workers"}
TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> 'schema_migrations'
"""
TIMEOUTS_MS = {"statement_timeout": 5_000, "lock_timeout": 2_000, "idle_in_transaction_session_timeout": 10_000}
SERVICE_CONNECTIONS, OWNER_CONNECTIONS = 55, 10

LOWERED = ("off", "local", "remote_write")
WRITES = {
    "customer": "UPDATE customers SET version = version WHERE false",
    "catalog": "UPDATE discs SET version = version WHERE false",
    "order": "UPDATE orders SET attempts = attempts WHERE false",
}
INSERTS = {
    "customers": "INSERT INTO customers (id) SELECT gen_random_uuid() WHERE false",
    "discs": "INSERT INTO discs (id) SELECT gen_random_uuid() WHERE false",
    "reservations": "INSERT INTO reservations (disc_id) SELECT gen_random_uuid() WHERE false",
    "stock_movements": "INSERT INTO stock_movements (disc_id) SELECT gen_random_uuid() WHERE false",
    "stock_returns": "INSERT INTO stock_returns (disc_id) SELECT gen_random_uuid() WHERE false",
    "orders": "INSERT INTO orders (id) SELECT gen_random_uuid() WHERE false",
    "order_returns": "INSERT INTO order_returns (id) SELECT gen_random_uuid() WHERE false",
}
UPDATES = {
    "reservations": "UPDATE reservations SET state = state WHERE false",
    "stock_movements": "UPDATE stock_movements SET attempts = attempts WHERE false",
    "order_returns": "UPDATE order_returns SET state = state WHERE false",
}
OWNER_OF = {
    **dict.fromkeys(("discs", "reservations", "stock_movements", "stock_returns"), CATALOG),
    "customers": CUSTOMER,
    **dict.fromkeys(("orders", "order_returns"), ORDER),
}
# Of nobody: what is asked for each statement is asked all the same.
ANONYMIZE = "SELECT anonymize_customer('00000000-0000-4000-8000-000000000000', interval '1 second')"
NOTE = "SELECT note_anonymized_customer('00000000-0000-4000-8000-000000000000')"


@asynccontextmanager
async def connected(
    postgres: ProvisionedPostgres, target: ServiceDatabase, **settings: str
) -> AsyncIterator[asyncpg.Connection]:
    """A session of a service's role in its own database, begun with these settings."""
    dsn = postgres.dsn(target.database, target.role)
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


@pytest.mark.parametrize("target", DATABASES, ids=lambda target: target.service)
async def test_no_row_of_a_ledger_is_deleted(
    shop: OpenedShop, postgres: ProvisionedPostgres, target: ServiceDatabase
) -> None:
    admin = await asyncpg.connect(postgres.admin_dsn(target.database), timeout=CONNECT_TIMEOUT_S)
    tables = {row["tablename"] for row in await admin.fetch(TABLES)}
    await admin.close()
    assert tables
    async with connected(postgres, target) as role:
        for table in sorted(tables):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.execute(f"TRUNCATE {table}")
            for statement in (
                f"DELETE FROM {table} WHERE false",
                f"DROP TABLE {table}",
                f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            ):
                if statement.startswith("DELETE") and table in COME_AND_GO:
                    continue
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await role.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "disc_ids = ARRAY[gen_random_uuid()]",
        "quantities = '{1}'",
        "names = '{Mine}'",
        "artists = '{Mine}'",
        "prices_cents = '{1}'",
        "total_cents = 1",
        "total_cents = 1, prices_cents = '{1}', names = '{Mine}'",
        "customer_id = gen_random_uuid()",
        "customer_name = 'Mine'",
        "masked_document = ''",
        "stock_left = '{9}'",
        "refused_disc_ids = disc_ids",
        "reason = 'OUT_OF_STOCK', status = 'REJECTED'",
        "status = 'PENDING'",
        "status = 'CANCELLED'",
    ],
)
async def test_what_was_sold_does_not_change(
    postgres: ProvisionedPostgres, shop: OpenedShop, orders: OrderDesk, change: str
) -> None:
    disc, customer = await shop.make_disc(stock=9), await shop.make_customer()
    sold = await orders.create(customer.id, {disc.id: 2})
    async with connected(postgres, ORDER) as role:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(f"UPDATE orders SET {change} WHERE id = $1", UUID(sold.id))
    assert await orders.get(sold.id) == sold
    # What the service does with it is as before.
    assert (await orders.cancel(sold.id, lines={disc.id: 1})).lines[0].returned_quantity == 1
    assert (await orders.cancel(sold.id)).status == CANCELLED
    await orders.agrees(disc.id)


@pytest.mark.parametrize("status", ["PENDING", "CONFIRMED", "CANCELLING"])
async def test_an_order_does_not_come_back_from_its_end(
    postgres: ProvisionedPostgres, shop: OpenedShop, orders: OrderDesk, status: str
) -> None:
    disc, customer, request_id = await shop.make_disc(stock=2), await shop.make_customer(), new_id()
    cancelled = await orders.create(customer.id, {disc.id: 2})
    await refusal_of(orders.create(customer.id, {disc.id: 1}, request_id))
    await orders.cancel(cancelled.id)
    ended = {cancelled.id: order_pb2.ORDER_STATUS_CANCELLED}
    ended[order_id(customer.id, request_id)] = order_pb2.ORDER_STATUS_REJECTED
    async with connected(postgres, ORDER) as role:
        for ended_id, was in ended.items():
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
                await role.execute("UPDATE orders SET status = $2 WHERE id = $1", UUID(ended_id), status)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.execute(
                    "UPDATE orders SET status = $2, reason = NULL, names = '{n}', artists = '{a}', prices_cents = '{1}' WHERE id = $1",
                    UUID(ended_id),
                    status,
                )
            assert (await orders.get(ended_id)).status == was


@pytest.mark.parametrize("lowered", LOWERED)
async def test_nothing_is_written_that_could_be_lost(postgres: ProvisionedPostgres, lowered: str) -> None:
    for table, target in OWNER_OF.items():
        statements = [
            INSERTS[table],
            UPDATES.get(table, WRITES[target.service] if table in WRITES[target.service] else ""),
        ]
        async with connected(postgres, target) as role:
            for statement in filter(None, statements):
                await role.execute(statement)
                await role.execute(f"SET synchronous_commit = {lowered}")
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="synchronous_commit"):
                    await role.execute(statement)
                await role.execute("SET synchronous_commit = on")
                # A part of a transaction is no way round it.
                for local in (
                    f"SET LOCAL synchronous_commit = {lowered}",
                    f"SELECT set_config('synchronous_commit', '{lowered}', true)",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="synchronous_commit"):
                        await role.execute(f"BEGIN; {local}; {statement}; COMMIT")
                    await role.execute("ROLLBACK")
                await role.execute("SET synchronous_commit = remote_apply")
                await role.execute(statement)
                await role.execute("SET synchronous_commit = on")
        async with connected(postgres, target, synchronous_commit=lowered) as role:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="synchronous_commit"):
                await role.execute(INSERTS[table])


async def test_copying_rows_in_is_no_way_round_it(postgres: ProvisionedPostgres) -> None:
    async with connected(postgres, ORDER, synchronous_commit="off") as role:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="synchronous_commit"):
            await role.copy_records_to_table("orders", columns=["id"], records=[(uuid4(),)])


async def test_a_role_that_lowers_it_for_ever_does_not_lower_the_service(postgres: ProvisionedPostgres) -> None:
    settings = OrderSettings(
        postgres_host=postgres.server.host,
        postgres_port=postgres.server.port,
        postgres_user=ORDER.role,
        postgres_password=postgres.passwords[ORDER.role],  # type: ignore[arg-type]  # pydantic reads it.
        postgres_db=ORDER.database,
    )
    async with connected(postgres, ORDER) as role:
        # PostgreSQL lets a role set its own defaults.
        await role.execute("ALTER ROLE order_service SET synchronous_commit = off")
        try:
            async with connected(postgres, ORDER) as another:
                assert await another.fetchval("SHOW synchronous_commit") == "off"
            async with open_database(settings) as database, database.connection() as connection:
                assert await connection.fetchval("SHOW synchronous_commit") == "on"
                await connection.execute(WRITES["order"])
        finally:
            await role.execute("ALTER ROLE order_service RESET synchronous_commit")


@pytest.mark.parametrize(("target", "statement"), [(CUSTOMER, ANONYMIZE), (ORDER, NOTE)], ids=["customer", "order"])
@pytest.mark.parametrize("lowered", LOWERED)
async def test_functions_that_run_as_the_owner_are_no_way_round_it(
    postgres: ProvisionedPostgres, target: ServiceDatabase, statement: str, lowered: str
) -> None:
    async with connected(postgres, target) as role:
        await role.execute(statement)
        await role.execute(f"SET synchronous_commit = {lowered}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="synchronous_commit"):
            await role.execute(statement)


@pytest.mark.parametrize("target", DATABASES, ids=lambda target: target.service)
@pytest.mark.parametrize(
    "statement",
    [
        "SET fsync = off",
        "SET full_page_writes = off",
        "SET wal_level = minimal",
        "SET synchronous_standby_names = ''",
        "SET session_replication_role = replica",
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER DATABASE postgres SET synchronous_commit = off",
        "ALTER ROLE ALL SET synchronous_commit = off",
        "ALTER ROLE postgres SET synchronous_commit = off",
        "DROP FUNCTION refuse_lowered_durability CASCADE",
        "CREATE OR REPLACE FUNCTION refuse_lowered_durability() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SELECT pg_reload_conf()",
        "CHECKPOINT",
    ],
)
async def test_the_server_s_durability_is_not_lowered(
    postgres: ProvisionedPostgres, target: ServiceDatabase, statement: str
) -> None:
    async with connected(postgres, target) as role:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CantChangeRuntimeParamError)):
            await role.execute(statement)


@pytest.mark.parametrize("target", DATABASES, ids=lambda target: target.service)
async def test_limits_of_a_role_are_as_they_are_written_down(
    postgres: ProvisionedPostgres, target: ServiceDatabase
) -> None:
    async with connected(postgres, target) as role:
        for name, limit_ms in TIMEOUTS_MS.items():
            assert await role.fetchval("SELECT setting::integer FROM pg_settings WHERE name = $1", name) == limit_ms
        allowed = "SELECT rolconnlimit FROM pg_roles WHERE rolname = $1"
        assert await role.fetchval(allowed, target.role) == SERVICE_CONNECTIONS
        assert await role.fetchval(allowed, target.owner) == OWNER_CONNECTIONS
        # Nobody is above others, and nobody makes others.
        powers = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = $1"
        for name in (target.role, target.owner):
            assert await role.fetchval(powers, name) is False


async def test_a_statement_a_lock_and_an_idle_transaction_end_in_time(
    shop: OpenedShop, postgres: ProvisionedPostgres
) -> None:
    """For all three roles at once: the longest of them takes ten seconds."""
    loop = asyncio.get_running_loop()
    held = {
        "catalog": ("discs", (await shop.make_disc(stock=1)).id),
        "customer": ("customers", (await shop.make_customer(document=random_cpf())).id),
        "order": ("queue_leases", 0),
    }

    async def bites(name: str, begun_s: float) -> None:
        # No earlier than it says, and not long after.
        assert TIMEOUTS_MS[name] / 1_000 - 0.1 <= loop.time() - begun_s < BITE_TIMEOUT_S

    async def statement(target: ServiceDatabase) -> None:
        async with connected(postgres, target) as role:
            begun_s = loop.time()
            with pytest.raises(asyncpg.QueryCanceledError):
                await role.fetchval("SELECT pg_sleep(60)")
            await bites("statement_timeout", begun_s)

    async def lock(target: ServiceDatabase) -> None:
        table, key = held[target.service]
        column = "partition" if target is ORDER else "id"
        read = f"SELECT FROM {table} WHERE {column} = $1 FOR UPDATE"
        admin = await asyncpg.connect(postgres.admin_dsn(target.database), timeout=CONNECT_TIMEOUT_S)
        try:
            async with admin.transaction(), connected(postgres, target) as role:
                await admin.execute(read, key)
                begun_s = loop.time()
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await role.execute(read, key)
                await bites("lock_timeout", begun_s)
        finally:
            await admin.close()

    async def idle(target: ServiceDatabase) -> None:
        async with connected(postgres, target) as role:
            ended = asyncio.Event()
            role.add_termination_listener(lambda _: ended.set())
            await role.execute("BEGIN; SELECT 1")
            begun_s = loop.time()
            async with asyncio.timeout(BITE_TIMEOUT_S):
                await ended.wait()
            await bites("idle_in_transaction_session_timeout", begun_s)

    async with asyncio.TaskGroup() as tasks:
        for target in DATABASES:
            for check in (statement(target), lock(target), idle(target)):
                tasks.create_task(check)


async def opened_until_refused(postgres: ProvisionedPostgres, target: ServiceDatabase, stack: AsyncExitStack) -> int:
    """Open connections of a role until PostgreSQL refuses one; count those that it took."""
    for count in range(SERVICE_CONNECTIONS + 1):
        try:
            await stack.enter_async_context(connected(postgres, target))
        except asyncpg.TooManyConnectionsError:
            return count
    raise AssertionError("none was refused")


async def test_one_role_s_connections_end_and_anothers_do_not(
    shop: OpenedShop, postgres: ProvisionedPostgres, orders: OrderDesk
) -> None:
    disc, customer = await shop.make_disc(stock=9), await shop.make_customer()
    await orders.create(customer.id, {disc.id: 1})
    async with AsyncExitStack() as stack:
        count = await opened_until_refused(postgres, CATALOG, stack)
        # Those that the service has stand, so that it goes on; and the other services' roles have theirs.
        assert 0 < count <= SERVICE_CONNECTIONS
        for target in (CUSTOMER, ORDER):
            await stack.enter_async_context(connected(postgres, target))
        assert (await orders.create(customer.id, {disc.id: 1})).status == CONFIRMED
