"""What the service's role may do with discs, and that it may do nothing else."""

from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import ProvisionedPostgres

INSERT = """
INSERT INTO discs (id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, created_fingerprint)
VALUES ($1, 'Blue Train', 'John Coltrane', 1958, 'Jazz', 2599, 5, 5, sha256('content'))
"""


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM discs",
        "TRUNCATE discs",
        "UPDATE discs SET id = gen_random_uuid()",
        "UPDATE discs SET opening_stock = 0",
        "UPDATE discs SET created_fingerprint = sha256('other content')",
        "UPDATE discs SET create_time = now()",
        "DELETE FROM stock_changes",
        "UPDATE stock_changes SET disc_id = gen_random_uuid()",
        "DROP TABLE discs",
        "ALTER TABLE discs ADD COLUMN label text",
        "ALTER TABLE discs DROP CONSTRAINT discs_stock_check",
        "ALTER TABLE discs SET (fillfactor = 100)",
        "CREATE INDEX ON discs (stock)",
        "DROP INDEX discs_name_id",
        "CREATE TRIGGER spy BEFORE UPDATE ON discs FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE TABLE notes (id integer)",
        "CREATE TEMPORARY TABLE notes (id integer)",
        "CREATE VIEW titles AS SELECT name FROM discs",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA notes",
        "CREATE EXTENSION hstore",
        "DROP EXTENSION pg_trgm",
        "SELECT * FROM schema_migrations",
        "SET ROLE catalog_owner",
        "COPY discs TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
async def test_the_service_may_not(as_service: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(statement)


async def test_the_service_may_add_read_edit_and_sell_discs(as_service: asyncpg.Connection) -> None:
    disc_id = uuid4()
    await as_service.execute(INSERT, disc_id)
    edit = """
    UPDATE discs SET
        name = name, artist = artist, year_of_release = year_of_release, genre = genre, price_cents = price_cents,
        stock = stock - 1, revision = revision + 1, version = version + 1, update_time = now(), delete_time = now()
    WHERE id = $1
    """
    assert await as_service.execute(edit, disc_id) == "UPDATE 1"
    assert await as_service.fetchval("SELECT stock FROM discs WHERE id = $1", disc_id) == 4


@pytest.mark.parametrize("database", ["customer", "orders", "postgres", "template1"])
async def test_the_service_may_connect_nowhere_else(postgres: ProvisionedPostgres, database: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(postgres.dsn(database, "catalog_service"), timeout=10)


@pytest.mark.parametrize("role", ["customer_service", "order_service", "customer_owner", "order_owner"])
async def test_no_other_role_may_connect_to_the_catalog(
    postgres: ProvisionedPostgres, spare_database: str, role: str
) -> None:
    for database in ("catalog", spare_database):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(postgres.dsn(database, role), timeout=10)


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
async def test_what_the_service_asks_for_ends_in_time(as_service: asyncpg.Connection, limit: str) -> None:
    setting = "SELECT setting::integer FROM pg_settings WHERE name = $1"
    assert 0 < await as_service.fetchval(setting, limit) <= 10_000
