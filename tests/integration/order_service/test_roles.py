"""A service's role can do its work and nothing else: every other statement is refused by the database itself."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import ProvisionedPostgres
from tests.opened_shop import OpenedShop

CONNECT_TIMEOUT_S = 10.0
DATABASES = {"catalog_service": "catalog", "customer_service": "customer", "order_service": "orders"}

ANYWHERE = [
    "CREATE TABLE mine (n integer)",
    "CREATE TEMPORARY TABLE mine (n integer)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "DROP SCHEMA audit CASCADE",
    "DROP SCHEMA public CASCADE",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT * FROM pg_authid",
    "SELECT * FROM schema_migrations",
    "ALTER SYSTEM SET fsync = off",
]
IN_CATALOG = [
    "DELETE FROM discs",
    "DELETE FROM reservations",
    "DELETE FROM stock_movements",
    "DELETE FROM stock_returns",
    "TRUNCATE discs",
    "TRUNCATE reservations",
    "TRUNCATE stock_movements",
    "DROP TABLE reservations",
    "ALTER TABLE reservations ADD COLUMN mine integer",
    "ALTER TABLE discs DROP CONSTRAINT discs_stock_check",
    "CREATE INDEX mine ON discs (stock)",
    "UPDATE discs SET opening_stock = 1",
    "UPDATE discs SET id = gen_random_uuid()",
    "UPDATE discs SET created_fingerprint = NULL",
    "UPDATE reservations SET quantity = 1",
    "UPDATE reservations SET price_cents = 1",
    "UPDATE reservations SET fingerprint = NULL",
    "UPDATE reservations SET reservation_id = gen_random_uuid()",
    "UPDATE reservations SET disc_id = gen_random_uuid()",
    "UPDATE stock_movements SET delta = 1",
    "UPDATE stock_movements SET state = 'APPLIED'",
    "UPDATE stock_returns SET quantity = 1",
]
IN_ORDERS = [
    "DELETE FROM orders",
    "DELETE FROM order_returns",
    "TRUNCATE orders",
    "TRUNCATE open_work",
    "DROP TABLE orders",
    "ALTER TABLE orders ADD COLUMN mine integer",
    "CREATE INDEX mine ON orders (status)",
    "UPDATE orders SET id = gen_random_uuid()",
    "UPDATE orders SET customer_id = gen_random_uuid()",
    "UPDATE orders SET request_id = 'mine'",
    "UPDATE orders SET fingerprint = ''",
    "UPDATE orders SET disc_ids = '{}'",
    "UPDATE orders SET quantities = '{}'",
    "UPDATE orders SET customer_name = 'mine'",
    "UPDATE orders SET customer_name = ''",
    "UPDATE orders SET masked_document = ''",
    "INSERT INTO anonymized_customers VALUES (gen_random_uuid())",
    "DELETE FROM anonymized_customers",
    "UPDATE orders SET create_time = now()",
    "UPDATE open_work SET order_ids = '{}'",
    "UPDATE order_returns SET quantities = '{1}'",
    "UPDATE order_returns SET fingerprint = ''",
]


@pytest.fixture(scope="module")
async def catalog_role(shop: OpenedShop) -> AsyncIterator[asyncpg.Connection]:
    """The catalog service's role in its own database."""
    connection = await asyncpg.connect(shop.local.catalog_dsn, timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def order_role(shop: OpenedShop) -> AsyncIterator[asyncpg.Connection]:
    """The order service's role in its own database."""
    connection = await asyncpg.connect(shop.local.order_dsn, timeout=CONNECT_TIMEOUT_S)
    yield connection
    await connection.close()


@pytest.mark.parametrize("statement", ANYWHERE + IN_CATALOG)
async def test_the_catalogs_role_is_refused(catalog_role: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await catalog_role.execute(statement)


@pytest.mark.parametrize("statement", ANYWHERE + IN_ORDERS)
async def test_the_orders_role_is_refused(order_role: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await order_role.execute(statement)


@pytest.mark.parametrize("role", [*DATABASES, "catalog_owner", "customer_owner", "order_owner"])
async def test_a_role_may_connect_to_its_own_database_alone(postgres: ProvisionedPostgres, role: str) -> None:
    own = DATABASES[role.replace("_owner", "_service")]
    for database in {"postgres", "template1", *DATABASES.values()} - {own}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(postgres.dsn(database, role), timeout=CONNECT_TIMEOUT_S)


@pytest.mark.parametrize("role", list(DATABASES))
async def test_a_role_becomes_no_other_role(postgres: ProvisionedPostgres, role: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(DATABASES[role], role), timeout=CONNECT_TIMEOUT_S)
    try:
        for other in ("postgres", "pg_read_all_data", role.replace("_service", "_owner")):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SET ROLE {other}")
    finally:
        await connection.close()


@pytest.mark.parametrize("role", list(DATABASES))
async def test_a_role_has_timeouts_of_its_own(postgres: ProvisionedPostgres, role: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(DATABASES[role], role), timeout=CONNECT_TIMEOUT_S)
    try:
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert await connection.fetchval(f"SHOW {setting}") != "0", setting
    finally:
        await connection.close()


async def test_the_ledgers_keep_their_bounds_whoever_writes(
    catalog_admin: asyncpg.Connection, order_admin: asyncpg.Connection
) -> None:
    row = "INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count, fingerprint, name, price_cents)"
    for values in (
        "gen_random_uuid(), gen_random_uuid(), 'RESERVED', 0, 1, decode(repeat('00', 16), 'hex'), 'n', 1",
        "gen_random_uuid(), gen_random_uuid(), 'RESERVED', -7, 1, decode(repeat('00', 16), 'hex'), 'n', 1",
        "gen_random_uuid(), gen_random_uuid(), 'RESERVED', 1001, 1, decode(repeat('00', 16), 'hex'), 'n', 1",
        "gen_random_uuid(), gen_random_uuid(), 'HELD', 1, 1, decode(repeat('00', 16), 'hex'), 'n', 1",
        "gen_random_uuid(), gen_random_uuid(), 'RESERVED', 1, 51, decode(repeat('00', 16), 'hex'), 'n', 1",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await catalog_admin.execute(f"{row} VALUES ({values})")
    for returned in (0, -1, 3):
        with pytest.raises(asyncpg.CheckViolationError):
            await catalog_admin.execute(
                "INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count, fingerprint, name, price_cents, returned)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), 'RESERVED', 2, 1, decode(repeat('00', 16), 'hex'), 'n', 1, $1)",
                returned,
            )
    row = (
        "INSERT INTO orders (id, customer_id, request_id, fingerprint, customer_name, masked_document,"
        " disc_ids, quantities, status)"
    )
    fingerprint = "decode(repeat('00', 16), 'hex')"
    for values in (
        f"gen_random_uuid(), gen_random_uuid(), 'r', {fingerprint}, 'n', '', ARRAY[gen_random_uuid()], '{{0}}', 'PENDING'",
        f"gen_random_uuid(), gen_random_uuid(), 'r', {fingerprint}, 'n', '', ARRAY[gen_random_uuid()], '{{1001}}', 'PENDING'",
        f"gen_random_uuid(), gen_random_uuid(), 'r', {fingerprint}, 'n', '', ARRAY[gen_random_uuid()], '{{1,1}}', 'PENDING'",
        f"gen_random_uuid(), gen_random_uuid(), 'r', {fingerprint}, 'n', '', '{{}}', '{{}}', 'PENDING'",
        f"gen_random_uuid(), gen_random_uuid(), 'a b', {fingerprint}, 'n', '', ARRAY[gen_random_uuid()], '{{1}}', 'PENDING'",
        f"gen_random_uuid(), gen_random_uuid(), 'r', {fingerprint}, 'n', '', ARRAY[gen_random_uuid()], '{{1}}', 'SOLD'",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await order_admin.execute(f"{row} VALUES ({values})")
