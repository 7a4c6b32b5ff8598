"""What the table of discs keeps by itself, whoever writes to it."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from catalog_service.model import DiscDraft
from local_shop.provision import DB_DIR

MIGRATIONS = sorted((DB_DIR / "catalog").glob("*.sql"))
INSERT = """
INSERT INTO discs (
    id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, version, created_fingerprint
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING id
"""
FINGERPRINT = """
SELECT sha256(convert_to(json_build_array($1::text, $2::text, $3::integer, $4::text, $5::bigint, $6::bigint)::text, 'UTF8'))
"""
SALES = 20


def row(**changes: Any) -> list[Any]:
    content = {
        "id": uuid4(),
        "name": "Blue Train",
        "artist": "John Coltrane",
        "year_of_release": 1958,
        "genre": "Jazz",
        "price_cents": 2_599,
        "opening_stock": 100,
        "stock": 100,
        "version": 1,
        "created_fingerprint": bytes(32),
    }
    return list({**content, **changes}.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field in ("name", "artist", "genre") for value in ("", " \t\n\v\f\r")),
        ("name", "n" * 201),
        ("artist", "a" * 201),
        ("genre", "g" * 101),
        ("year_of_release", 1859),
        ("year_of_release", 2101),
        *((field, -1) for field in ("price_cents", "opening_stock", "stock")),
        ("price_cents", 100_000_001),
        ("opening_stock", 1_000_000_001),
        ("stock", 1_000_000_000_001),
        ("version", 0),
        ("created_fingerprint", bytes(31)),
    ],
)
async def test_the_table_refuses_what_is_out_of_bounds(as_owner: asyncpg.Connection, field: str, value: object) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await as_owner.execute(INSERT, *row(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "名" * 200),
        ("artist", "\u3000x"),
        ("genre", "g" * 100),
        ("year_of_release", 1860),
        ("year_of_release", 2100),
        ("price_cents", 0),
        ("price_cents", 100_000_000),
        ("opening_stock", 1_000_000_000),
        ("stock", 0),
        ("stock", 1_000_000_000_000),
    ],
)
async def test_the_table_takes_what_is_at_its_bound(as_owner: asyncpg.Connection, field: str, value: object) -> None:
    await as_owner.execute(INSERT, *row(**{field: value}))


async def test_no_index_names_the_stock(as_service: asyncpg.Connection) -> None:
    indexes = await as_service.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = 'discs'")
    assert len(indexes) >= 6
    assert not [index["indexdef"] for index in indexes if "stock" in index["indexdef"]]


async def test_a_sale_touches_no_index(as_service: asyncpg.Connection) -> None:
    disc_id = await as_service.fetchval(INSERT, *row())
    async with as_service.transaction():
        for _ in range(SALES):
            await as_service.execute("UPDATE discs SET stock = stock - 1 WHERE id = $1", disc_id)
        updated = "SELECT pg_stat_get_xact_tuples_updated('discs'::regclass)"
        touching_no_index = "SELECT pg_stat_get_xact_tuples_hot_updated('discs'::regclass)"
        assert await as_service.fetchval(updated) == SALES
        assert await as_service.fetchval(touching_no_index) == SALES


@pytest.mark.parametrize("text", ["Blue", 'a"b\\c/d', "\x01\x1f\x7f\b\f\n\r\t'", "José 名 \U0001f3b5", "\u2028<>&"])
async def test_seeds_can_write_the_fingerprint_that_the_service_looks_for(
    as_service: asyncpg.Connection, text: str
) -> None:
    content = {
        "name": text,
        "artist": text[::-1],
        "year_of_release": 1958,
        "genre": text * 2,
        "price_cents": 0,
        "opening_stock": 1_000_000_000,
    }
    draft = DiscDraft(id=uuid4(), **content)
    assert await as_service.fetchval(FINGERPRINT, *content.values()) == draft.fingerprint


async def test_the_migration_can_be_undone_and_done_again(as_owner: asyncpg.Connection) -> None:
    transaction = as_owner.transaction()
    await transaction.start()
    for later in reversed(MIGRATIONS[1:]):
        _, undo = parts(later)
        await as_owner.execute(undo)
    up, down = parts(MIGRATIONS[0])
    for part, there in ((down, False), (up, True), (down, False)):
        await as_owner.execute(part)
        assert await exists(as_owner, "SELECT to_regclass('discs') IS NOT NULL") is there
        assert await exists(as_owner, "SELECT count(*) = 1 FROM pg_extension WHERE extname = 'pg_trgm'") is there
        assert await exists(as_owner, "SELECT has_schema_privilege('catalog_service', 'public', 'USAGE')") is there
    await transaction.rollback()


def parts(migration: Path) -> list[str]:
    return re.split("^-- migrate:(?:up|down)$", migration.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


async def exists(connection: asyncpg.Connection, question: str) -> bool:
    return await connection.fetchval(question)
