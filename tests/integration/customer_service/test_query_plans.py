"""How PostgreSQL reads 100,000 customers: through an index, and hardly more of them than it answers."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from customer_service.documents import Documents
from customer_service.model import CustomerEdit, CustomerFilter, CustomerQuery
from customer_service.repository import CustomerRepository
from local_shop.copies import copy_databases, drop_databases
from service_runtime.database import Database
from service_runtime.primary import Primary
from tests.conftest import ProvisionedPostgres

CUSTOMERS = 100_000
PAGE_SIZE = 50
# Customers with one address. A list may read all of them to find those who are active; other filters drop hardly anybody.
FAMILY_SIZE = 120
ROWS_DROPPED_MAX = FAMILY_SIZE
PLAN_MODES = ("force_generic_plan", "force_custom_plan")

# One in a hundred is inactive.
FILL = """
INSERT INTO customers (id, document_hash, sealed_document, name, birth_date, email, phone, active, created_fingerprint)
SELECT
    md5(number::text)::uuid, $3::bytea || sha256(number::text::bytea), decode(repeat('00', 43), 'hex'),
    'Customer ' || number, '1984-11-05',
    CASE WHEN number <= $2 THEN 'Family@example.com' ELSE 'customer' || number || '@example.com' END,
    '190', number % 100 <> 0, sha256(number::text::bytea)
FROM generate_series(1, $1) AS number
"""
WITH_DOCUMENT = "UPDATE customers SET document_hash = $1 WHERE id = md5('100')::uuid"
KNOWN_DOCUMENT = "00000000100"


class Unopened(Documents):
    """Documents of customers whose columns hold none."""

    def open(self, customer_id: UUID, sealed: bytes) -> str:
        return KNOWN_DOCUMENT


DOCUMENTS = Unopened([bytes(32)], is_ready=True)
FAMILY = "family@EXAMPLE.com"
EVERYBODY = CustomerFilter(document=None, email=None, active=None)
MIDDLE = UUID("80000000-0000-0000-0000-000000000000")


@dataclass(frozen=True)
class Asked:
    """A statement as the repository ran it, with its arguments, and how many rows it answered."""

    sql: str
    arguments: Sequence[object]
    rows: int


class _Watched:
    """A connection that notes what it is asked for."""

    def __init__(self, connection: Any, asked: list[Asked]) -> None:
        self._connection = connection
        self._asked = asked

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        rows = await self._connection.fetch(sql, *arguments)
        self._asked.append(Asked(sql, arguments, len(rows)))
        return rows

    async def fetchrow(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        rows = await self.fetch(sql, *arguments)
        return rows[0] if rows else None


class WatchedDatabase(Database):
    """A database that notes what it is asked for, and can say how PostgreSQL goes about it."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool, primary=Primary([], host_timeout_s=10), acquire_timeout_s=10)
        self.asked: list[Asked] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        async with super().connection() as connection:
            yield _Watched(connection, self.asked)

    async def plan(self, asked: Asked, mode: str) -> dict[str, Any]:
        """The plan of the very statement, run with its arguments and then undone."""
        async with super().connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
            prepared = await connection.prepare(asked.sql)
            literals = [
                await connection.fetchval("SELECT quote_nullable($1::text)", text(value)) for value in asked.arguments
            ]
            execute = f"EXECUTE {prepared.get_name()}({', '.join(literals)})"
            plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}")
            await transaction.rollback()
        return json.loads(plan)[0]["Plan"]


def text(value: object) -> str | None:
    """A parameter's value as PostgreSQL reads it."""
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(str, value)) + "}"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return None if value is None else str(value)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan: dict[str, Any]) -> float:
    """How many rows the scans looked at, those included that a filter dropped."""
    scans = [node for node in nodes(plan) if "Scan" in node["Node Type"] and "Bitmap Index" not in node["Node Type"]]
    dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(
        (scan["Actual Rows"] + sum(scan.get(name, 0) for name in dropped)) * scan["Actual Loops"] for scan in scans
    )


@pytest.fixture(scope="module")
async def crowd(postgres: ProvisionedPostgres) -> AsyncIterator[WatchedDatabase]:
    """A database of its own with 100,000 customers, as the service's role sees it."""
    copies = copy_databases(postgres.server, uuid4().hex)
    admin = await asyncpg.connect(postgres.admin_dsn(copies["customer"]), timeout=10)
    await admin.execute(FILL, CUSTOMERS, FAMILY_SIZE, DOCUMENTS.key_id)
    await admin.execute(WITH_DOCUMENT, DOCUMENTS.hash(KNOWN_DOCUMENT))
    await admin.execute("VACUUM ANALYZE customers")
    await admin.close()
    async with asyncpg.create_pool(
        postgres.dsn(copies["customer"], "customer_service"), min_size=1, max_size=1
    ) as pool:
        yield WatchedDatabase(pool)
    drop_databases(postgres.server, copies)


async def assert_reads_through_indexes(crowd: WatchedDatabase) -> None:
    """Asserts it of all that was asked for since the last time."""
    asked, crowd.asked = crowd.asked, []
    assert asked
    for statement, mode in itertools.product(asked, PLAN_MODES):
        plan = await crowd.plan(statement, mode)
        described = f"{mode}: {statement.sql}\n{json.dumps(plan, indent=1)}"
        assert "Seq Scan" not in [node["Node Type"] for node in nodes(plan)], described
        assert rows_read(plan) <= statement.rows + ROWS_DROPPED_MAX, described


@pytest.mark.parametrize("active", [None, True, False])
@pytest.mark.parametrize("email", [None, FAMILY, "customer54321@example.com", "nobody@example.com"])
@pytest.mark.parametrize("document", [None, KNOWN_DOCUMENT, "99999999999"])
async def test_a_list_reads_through_an_index_whatever_it_filters_by(
    crowd: WatchedDatabase, document: str | None, email: str | None, *, active: bool | None
) -> None:
    customers = CustomerRepository(database=crowd, documents=DOCUMENTS)
    wanted = CustomerFilter(document=document, email=email, active=active)
    for first_id in (UUID(int=0), MIDDLE):
        await customers.search(CustomerQuery(filter=wanted, first_id=first_id, size=PAGE_SIZE))
    await assert_reads_through_indexes(crowd)


async def test_a_customer_and_a_thousand_are_found_by_their_key(crowd: WatchedDatabase) -> None:
    customers = CustomerRepository(database=crowd, documents=DOCUMENTS)
    page = await customers.search(CustomerQuery(filter=EVERYBODY, first_id=MIDDLE, size=1_000))
    crowd.asked.clear()
    await customers.get(page.customers[0].id, None)
    await customers.get_all([customer.id for customer in page.customers], skip_missing=False)
    await assert_reads_through_indexes(crowd)


async def test_an_edit_finds_its_customer_by_the_key(crowd: WatchedDatabase) -> None:
    customers = CustomerRepository(database=crowd, documents=DOCUMENTS)
    [one] = (await customers.search(CustomerQuery(filter=EVERYBODY, first_id=MIDDLE, size=1))).customers
    crowd.asked.clear()
    edit = CustomerEdit(
        id=one.id, etag="", document=None, name="Ana", birth_date=date(1990, 1, 1), email=None, phone=None, active=None
    )
    await customers.edit(edit, None)
    await assert_reads_through_indexes(crowd)
