"""An answer to a repeated call waits for a synchronous standby, as the first one's did: both commit a write."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from tests.conftest import ProvisionedPostgres
from tests.integration.catalog_service.shelf import Shelf, new_id

WriterOf = Callable[[str], Awaitable[str]]


@pytest.fixture
async def writer_of(postgres: ProvisionedPostgres) -> AsyncIterator[WriterOf]:
    """Answers which transaction wrote a disc last."""
    connection = await asyncpg.connect(postgres.dsn("catalog", "catalog_service"), timeout=10)

    async def last_writer(disc_id: str) -> str:
        return await connection.fetchval("SELECT xmin::text FROM discs WHERE id = $1", disc_id)

    yield last_writer
    await connection.close(timeout=10)


async def test_a_repeated_create_writes(discs: Shelf, writer_of: WriterOf) -> None:
    disc = await discs.create(new_id())
    first_writer = await writer_of(disc.id)
    await discs.create(disc.id)
    assert await writer_of(disc.id) != first_writer


async def test_a_repeated_edit_writes(discs: Shelf, writer_of: WriterOf) -> None:
    disc = await discs.create()
    await discs.update(disc.id, etag=disc.etag, price_cents=1)
    first_writer = await writer_of(disc.id)
    await discs.update(disc.id, etag=disc.etag, price_cents=1)
    assert await writer_of(disc.id) != first_writer


async def test_a_repeated_delete_writes(discs: Shelf, writer_of: WriterOf) -> None:
    disc = await discs.create()
    await discs.delete(disc.id)
    first_writer = await writer_of(disc.id)
    await discs.delete(disc.id)
    assert await writer_of(disc.id) != first_writer
