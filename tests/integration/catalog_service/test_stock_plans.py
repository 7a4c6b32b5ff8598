"""The stock room's lists and denials walk along keys: at 100,000 rows no statement reads a table from one end to the other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest

from catalog_service.stock import changes, denials, listing
from local_shop.copies import copy_databases, drop_databases
from tests.conftest import ProvisionedPostgres
from tests.integration.query_plans import PLAN_MODES, indexes, joins, plan_of, sequential_scans, sorts

ROWS = 100_000
DISCS = 1_000
NOWHERE = UUID(int=0)

DISC_ROWS = """
INSERT INTO discs (id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, created_fingerprint)
SELECT md5(n::text)::uuid, 'Disc ' || n, 'Seeded', 2000, 'Rock', 100, 0, 0, decode(repeat('00', 32), 'hex')
FROM generate_series(1, $1::integer) AS n
"""
RESERVATION_ROWS = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left)
SELECT
    md5((1 + n % $1)::text)::uuid, gen_random_uuid(), CASE WHEN n % 3 = 0 THEN 'RELEASED' ELSE 'RESERVED' END, 1, 1,
    decode(repeat('00', 16), 'hex'), 'Disc', 'Seeded', 100, 0
FROM generate_series(1, $2::integer) AS n
"""
MOVEMENT_ROWS = """
INSERT INTO stock_movements (disc_id, movement_id, delta, reason, state, stock_left)
SELECT md5((1 + n % $1)::text)::uuid, 'm-' || n, 1, 'seeded', 'APPLIED', 1 FROM generate_series(1, $2::integer) AS n
"""
CHANGE_ROWS = """
INSERT INTO stock_changes (disc_id, revision, stock)
SELECT md5(n::text)::uuid, revision, 1 FROM generate_series(1, $1::integer) AS n, generate_series(1, $2::integer / $1::integer) AS revision
"""


@dataclass(frozen=True)
class ManyRows:
    """A database with ROWS reservations and movements, and a disc in the middle of them."""

    connection: asyncpg.Connection
    disc_id: UUID


@pytest.fixture(scope="module")
async def many(postgres: ProvisionedPostgres) -> AsyncIterator[ManyRows]:
    """A copy of the catalog's database with many rows in it."""
    copies = copy_databases(postgres.server, uuid4().hex)
    connection = await asyncpg.connect(postgres.admin_dsn(copies["catalog"]), timeout=10)
    await connection.execute(DISC_ROWS, DISCS)
    await connection.execute(RESERVATION_ROWS, DISCS, ROWS)
    await connection.execute(MOVEMENT_ROWS, DISCS, ROWS)
    await connection.execute(CHANGE_ROWS, DISCS, ROWS)
    await connection.execute("UPDATE discs SET revision = $1", ROWS // DISCS)
    await connection.execute("ANALYZE discs, reservations, stock_movements, stock_changes")
    disc_id = await connection.fetchval("SELECT id FROM discs ORDER BY id OFFSET $1 LIMIT 1", DISCS // 2)
    yield ManyRows(connection, disc_id)
    await connection.close()
    drop_databases(postgres.server, copies)


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("limit", [1, 101, 1_001])
async def test_no_page_of_the_ledger_reads_the_whole_table(many: ManyRows, mode: str, limit: int) -> None:
    for disc_id in (NOWHERE, many.disc_id):
        for state in (None, "RESERVED"):
            plan = await plan_of(many.connection, mode, listing.ENTRIES, disc_id, NOWHERE, state, limit)
            assert (sequential_scans(plan), sorts(plan)) == ([], []), plan


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("limit", [1, 101, 1_001])
async def test_no_page_of_a_discs_ledger_reads_the_whole_table(many: ManyRows, mode: str, limit: int) -> None:
    for after in (NOWHERE, uuid4()):
        for state in (None, "RESERVED"):
            plan = await plan_of(many.connection, mode, listing.ENTRIES_OF_DISC, many.disc_id, after, state, limit)
            assert sequential_scans(plan) == [], plan


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("limit", [1, 101])
async def test_no_page_of_movements_reads_the_whole_table(many: ManyRows, mode: str, limit: int) -> None:
    for disc_id in (NOWHERE, many.disc_id):
        plan = await plan_of(many.connection, mode, listing.MOVEMENTS, disc_id, "m-5", limit)
        assert (sequential_scans(plan), sorts(plan)) == ([], []), plan
    for after in ("", "m-5"):
        plan = await plan_of(many.connection, mode, listing.MOVEMENTS_OF_DISC, many.disc_id, after, limit)
        assert sequential_scans(plan) == [], plan


@pytest.mark.parametrize("mode", PLAN_MODES)
@pytest.mark.parametrize("limit", [1, 101])
async def test_no_page_of_balances_reads_a_whole_ledger(many: ManyRows, mode: str, limit: int) -> None:
    for after in (NOWHERE, many.disc_id):
        everything = await plan_of(many.connection, mode, listing.BALANCES, after, limit)
        some = await plan_of(many.connection, mode, listing.BALANCES_OF_DISCS, after, limit, [many.disc_id, uuid4()])
        for plan in (everything, some):
            assert not {"reservations", "stock_movements"} & set(sequential_scans(plan)), plan


async def test_watchers_are_answered_along_the_keys_however_many_they_are(many: ManyRows) -> None:
    # As the service's role has it: db/roles.sql.
    await many.connection.execute("SET enable_seqscan = off")
    ids = [row["id"] for row in await many.connection.fetch("SELECT id FROM discs")]
    for mode in PLAN_MODES:
        for size in (1, 10, DISCS // 10):
            positions = ("{" + ",".join(map(str, column)) + "}" for column in (ids[:size], [ROWS // DISCS - 5] * size))
            plan = await plan_of(many.connection, mode, changes.CHANGES, *positions, changes.READ_MAX, changes.KEPT_MAX)
            assert sequential_scans(plan) == [], plan
            assert set(indexes(plan)) == {"discs_pkey", "stock_changes_pkey"}, plan
            assert set(joins(plan)) == {"Nested Loop"}, plan
    await many.connection.execute("RESET enable_seqscan")


async def test_a_denial_finds_its_discs_by_their_key_however_many_there_are(many: ManyRows) -> None:
    disc_rows = DISC_ROWS.replace("md5(n::text)::uuid", "gen_random_uuid()")
    transaction = many.connection.transaction()
    await transaction.start()
    await many.connection.execute(disc_rows, ROWS)
    await many.connection.execute("ANALYZE discs")
    for mode in PLAN_MODES:
        for size in (1, 10):
            columns = ([many.disc_id] * size, [uuid4() for _ in range(size)], [1] * size, ["00"] * size)
            literals = ["{" + ",".join(map(str, column)) + "}" for column in columns]
            plan = await plan_of(many.connection, mode, denials.DENY, *literals)
            assert (sequential_scans(plan), indexes(plan)) == ([], ["discs_pkey"]), plan
    await transaction.rollback()
