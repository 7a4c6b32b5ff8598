"""ListOrders walks along its indexes: at 100,000 orders no statement reads the table from one end to the other, or sorts it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from local_shop.copies import copy_databases, drop_databases
from order_service.changes import CHANGED
from order_service.order_search import NEWEST, NEWEST_OF_CUSTOMER, PAGES_READ_MAX
from order_service.search_mapping import FIRST_MOMENT, LAST_MOMENT
from service_runtime.uuids import NO_UUID
from tests.conftest import ProvisionedPostgres
from tests.integration.query_plans import PLAN_MODES, indexes, joins, plan_of, sequential_scans, sorts

ORDERS = 100_000
PAGE_SIZE_MAX = 100
LIMITS = [1, 50, PAGE_SIZE_MAX + 1, PAGE_SIZE_MAX * PAGES_READ_MAX]

# One customer has half of all orders, a thousand others share the rest.
SEED = """
INSERT INTO orders (
    id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, create_time
)
SELECT
    gen_random_uuid(), CASE WHEN n % 2 = 0 THEN $1 ELSE md5((n % 1000)::text)::uuid END, 'r-' || n,
    decode(repeat('00', 16), 'hex'), 'Seeded', '', ARRAY[gen_random_uuid()], '{1}', 'PENDING',
    '2020-01-01T00:00:00Z'::timestamptz + n * interval '1 minute'
FROM generate_series(1, $2::integer) AS n
"""


@dataclass(frozen=True)
class ManyOrders:
    """A database with ORDERS orders, and somewhere in the middle of them."""

    connection: asyncpg.Connection
    customers: tuple[UUID, UUID]
    middle: tuple[datetime, UUID]


@pytest.fixture(scope="module")
async def many(postgres: ProvisionedPostgres) -> AsyncIterator[ManyOrders]:
    """A copy of the order database with many orders in it."""
    copies = copy_databases(postgres.server, uuid4().hex)
    connection = await asyncpg.connect(postgres.admin_dsn(copies["order"]), timeout=10)
    big = uuid4()
    await connection.execute(SEED, big, ORDERS)
    await connection.execute("ANALYZE orders")
    middle = await connection.fetchrow(
        "SELECT create_time, id FROM orders ORDER BY create_time OFFSET $1 LIMIT 1", ORDERS // 2
    )
    small = await connection.fetchval("SELECT customer_id FROM orders WHERE customer_id <> $1 LIMIT 1", big)
    yield ManyOrders(connection, (big, small), (middle["create_time"], middle["id"]))
    await connection.close()
    drop_databases(postgres.server, copies)


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("limit", LIMITS)
async def test_no_page_of_all_orders_reads_the_whole_table(many: ManyOrders, mode: str, limit: int) -> None:
    for before in ((LAST_MOMENT, NO_UUID), many.middle):
        for created_from in (FIRST_MOMENT, many.middle[0]):
            plan = await plan_of(many.connection, mode, NEWEST, *before, created_from, limit)
            assert (sequential_scans(plan), sorts(plan)) == ([], []), plan


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("limit", LIMITS)
async def test_no_page_of_a_customers_orders_reads_the_whole_table(many: ManyOrders, mode: str, limit: int) -> None:
    for customer in many.customers:
        for before in ((LAST_MOMENT, NO_UUID), many.middle):
            for created_from in (FIRST_MOMENT, many.middle[0]):
                plan = await plan_of(many.connection, mode, NEWEST_OF_CUSTOMER, *before, created_from, limit, customer)
                assert sequential_scans(plan) == [], plan


@pytest.mark.parametrize("mode", PLAN_MODES)
async def test_a_big_customers_pages_are_walked_along_the_index(many: ManyOrders, mode: str) -> None:
    statement = NEWEST_OF_CUSTOMER
    plan = await plan_of(many.connection, mode, statement, *many.middle, FIRST_MOMENT, PAGE_SIZE_MAX, many.customers[0])
    assert sorts(plan) == [], plan


@pytest.mark.parametrize("mode", PLAN_MODES)
async def test_a_small_customers_pages_are_found_by_the_customer(many: ManyOrders, mode: str) -> None:
    statement = NEWEST_OF_CUSTOMER
    plan = await plan_of(many.connection, mode, statement, *many.middle, FIRST_MOMENT, PAGE_SIZE_MAX, many.customers[1])
    assert indexes(plan) == ["orders_newest_of_customer"], plan


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("size", [1, 10, 1_000])
async def test_watched_orders_are_found_by_their_ids_however_many_they_are(
    many: ManyOrders, mode: str, size: int
) -> None:
    ids = [many.middle[1], *[uuid4() for _ in range(size - 1)]]
    columns = ("{" + ",".join(map(str, column)) + "}" for column in (ids, ["PENDING"] * size, ["NULL"] * size))
    plan = await plan_of(many.connection, mode, CHANGED, *columns)
    assert (sequential_scans(plan), indexes(plan), joins(plan)) == ([], ["orders_pkey"], ["Nested Loop"]), plan
