"""What the service's role may do in its database, and that it may do nothing else."""

from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import ProvisionedPostgres
from tests.integration.customer_service.people import documents, new_document

INSERT = """
INSERT INTO customers (id, document_hash, sealed_document, name, birth_date, email, phone, created_fingerprint)
VALUES ($1, $2, decode(repeat('00', 43), 'hex'), 'Ana Souza', '1984-11-05', 'ana@example.com', '190', sha256('content'))
"""


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM customers",
        "TRUNCATE customers",
        "UPDATE customers SET id = gen_random_uuid()",
        "UPDATE customers SET document = '52998224725'",
        "UPDATE customers SET anonymize_time = now()",
        "INSERT INTO customers (id, document) VALUES (gen_random_uuid(), '52998224725')",
        "INSERT INTO pending_anonymizations (customer_id, next_attempt_time) VALUES (gen_random_uuid(), now())",
        "UPDATE customers SET created_fingerprint = sha256('other content')",
        "UPDATE customers SET create_time = now()",
        "DROP TABLE customers",
        "ALTER TABLE customers ADD COLUMN nickname text",
        "ALTER TABLE customers DROP CONSTRAINT customers_birth_date",
        "CREATE INDEX ON customers (name)",
        "DROP INDEX customers_email_id",
        "CREATE TRIGGER spy BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE TABLE notes (id integer)",
        "CREATE TEMPORARY TABLE notes (id integer)",
        "CREATE VIEW names AS SELECT name FROM customers",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA notes",
        "SELECT * FROM schema_migrations",
        "INSERT INTO schema_migrations VALUES ('0002')",
        "SET ROLE customer_owner",
        "COPY customers TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
async def test_the_service_may_not(as_service: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(statement)


async def test_the_service_may_add_read_and_edit_customers(as_service: asyncpg.Connection) -> None:
    customer_id = uuid4()
    await as_service.execute(INSERT, customer_id, documents().hash(new_document()))
    edit = """
    UPDATE customers SET
        document_hash = document_hash, sealed_document = sealed_document,
        name = name, birth_date = birth_date, email = email, phone = phone, active = false,
        version = version + 1, update_time = now()
    WHERE id = $1
    """
    assert await as_service.execute(edit, customer_id) == "UPDATE 1"
    assert await as_service.fetchval("SELECT active FROM customers WHERE id = $1", customer_id) is False


@pytest.mark.parametrize("database", ["catalog", "orders", "postgres", "template1"])
async def test_the_service_may_connect_nowhere_else(postgres: ProvisionedPostgres, database: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(postgres.dsn(database, "customer_service"), timeout=10)


@pytest.mark.parametrize("role", ["catalog_service", "order_service", "catalog_owner", "order_owner"])
async def test_no_other_role_may_connect_to_the_customers(
    postgres: ProvisionedPostgres, spare_database: str, role: str
) -> None:
    for database in ("customer", spare_database):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(postgres.dsn(database, role), timeout=10)


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
async def test_what_the_service_asks_for_ends_in_time(as_service: asyncpg.Connection, limit: str) -> None:
    setting = "SELECT setting::integer FROM pg_settings WHERE name = $1"
    assert 0 < await as_service.fetchval(setting, limit) <= 10_000
