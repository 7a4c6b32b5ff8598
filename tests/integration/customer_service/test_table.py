"""What the table itself keeps, whoever writes to it."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from customer_service.model import CustomerDraft
from customer_service.repository import CustomerRepository
from local_shop.provision import DB_DIR
from service_runtime.database import Database
from service_runtime.errors import InvalidArgument
from tests.integration.customer_service.people import documents, new_document

MIGRATION = DB_DIR / "customer" / "0001_customers.sql"
INSERT = """
INSERT INTO customers (id, document, name, birth_date, email, phone, version, created_fingerprint, create_time, update_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
FINGERPRINT = (
    "SELECT sha256(convert_to(json_build_array($1::text, $2::text, $3::date, $4::text, $5::text)::text, 'UTF8'))"
)
NOW = datetime.now(UTC)


def row(**changes: Any) -> list[Any]:
    content = {
        "id": uuid4(),
        "document": new_document(),
        "name": "Ana Souza",
        "birth_date": date(1984, 11, 5),
        "email": "ana@example.com",
        "phone": "190",
        "version": 1,
        "created_fingerprint": bytes(32),
        "create_time": NOW,
        "update_time": NOW,
    }
    return list({**content, **changes}.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("document", "5299822472"),
        ("document", "529982247255"),
        ("document", "529.982.247"),
        ("document", "5299822472x"),
        ("document", "5299822472\n"),
        ("document", "٥٢٩٩٨٢٢٤٧٢٥"),
        ("document", "77777777777"),
        ("name", ""),
        ("name", " \t\r\n"),
        ("name", "n" * 201),
        ("birth_date", date(1899, 12, 31)),
        ("birth_date", NOW.date() + timedelta(days=1)),
        ("email", "@b"),
        ("email", "a@"),
        ("email", "a@b@c"),
        ("email", "a b@c"),
        ("email", "a@b\n"),
        ("email", "e" * 250 + "@b.cd"),
        ("phone", "12"),
        ("phone", "12-"),
        ("phone", "1" * 16),
        ("phone", "1" * 3 + "-" * 30),
        ("phone", "123x"),
        ("phone", "١٢٣"),
        ("version", 0),
        ("created_fingerprint", bytes(31)),
        ("update_time", NOW - timedelta(seconds=1)),
    ],
)
async def test_the_table_refuses_what_is_out_of_bounds(as_owner: asyncpg.Connection, field: str, value: object) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await as_owner.execute(INSERT, *row(**{field: value}))


@pytest.mark.parametrize(
    "field", ["document", "name", "birth_date", "email", "phone", "version", "created_fingerprint"]
)
async def test_the_table_refuses_a_field_that_is_missing(as_owner: asyncpg.Connection, field: str) -> None:
    with pytest.raises((asyncpg.NotNullViolationError, asyncpg.CheckViolationError)):
        await as_owner.execute(INSERT, *row(**{field: None}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "名" * 200),
        ("name", "\u3000x"),
        ("birth_date", date(1900, 1, 1)),
        ("birth_date", NOW.date()),
        ("email", "a@b"),
        ("email", "é" * 250 + "@b.c"),
        ("phone", "1" * 15),
        ("phone", "+(1) 2-3." + " " * 23),
    ],
)
async def test_the_table_takes_what_is_at_its_bound(as_owner: asyncpg.Connection, field: str, value: object) -> None:
    await as_owner.execute(INSERT, *row(**{field: value}))


async def test_the_table_keeps_a_document_once(as_owner: asyncpg.Connection) -> None:
    document = new_document()
    await as_owner.execute(INSERT, *row(document=document))
    with pytest.raises(asyncpg.UniqueViolationError):
        await as_owner.execute(INSERT, *row(document=document))


async def test_a_birth_date_that_the_databases_clock_has_not_come_to_is_a_bad_field(database: Database) -> None:
    draft = CustomerDraft(
        id=uuid4(),
        document=new_document(),
        name="Ana Souza",
        birth_date=datetime.now(UTC).date() + timedelta(days=2),
        email="ana@example.com",
        phone="190",
    )
    with pytest.raises(InvalidArgument) as refused:
        await CustomerRepository(database=database, documents=documents()).create(draft)
    assert [violation.field for violation in refused.value.violations] == ["customer.birth_date"]


@pytest.mark.parametrize("name", ["Ana", 'a"b\\c/d', "\x01\x1f\x7f\b\f\n\r\t'", "José 名 \U0001f3b5", "\u2028<>&"])
async def test_seeds_can_write_the_fingerprint_that_the_service_looks_for(
    as_service: asyncpg.Connection, name: str
) -> None:
    content = {
        "document": new_document(),
        "name": name,
        "birth_date": date(1984, 11, 5),
        "email": "ana@example.com",
        "phone": "+1 (2) 3",
    }
    draft = CustomerDraft(id=uuid4(), **content)
    assert await as_service.fetchval(FINGERPRINT, *content.values()) == draft.fingerprint


async def test_the_migration_can_be_undone_and_done_again(as_owner: asyncpg.Connection) -> None:
    up, down = parts(MIGRATION)
    transaction = as_owner.transaction()
    await transaction.start()
    # As far as no service has sealed anything yet, the later ones can be undone too.
    await as_owner.execute("DELETE FROM customers WHERE document IS NULL")
    for later in sorted(MIGRATION.parent.glob("*.sql"), reverse=True)[:-1]:
        await as_owner.execute(parts(later)[1])
    await as_owner.execute(down)
    assert await tables(as_owner) == {"schema_migrations"}
    usage = "SELECT has_schema_privilege('customer_service', 'public', 'USAGE')"
    assert not await as_owner.fetchval(usage)
    await as_owner.execute(up)
    assert await tables(as_owner) == {"schema_migrations", "customers"}
    assert await as_owner.fetchval(usage)
    await transaction.rollback()


def parts(migration: Path) -> list[str]:
    return re.split("^-- migrate:(?:up|down)$", migration.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


async def tables(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {found["tablename"] for found in rows}
