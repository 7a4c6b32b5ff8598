"""How PostgreSQL reads 100,000 discs: through an index, and not many more of them than it answers."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from catalog_service.disc_search import PLAN_SETTINGS, list_statement
from catalog_service.model import DiscEdit, DiscFilter, DiscQuery, TextFilter, TextMatch
from catalog_service.repository import DiscRepository
from service_runtime.database import Database
from service_runtime.primary import Primary
from tests.conftest import ProvisionedPostgres

DISCS = 100_000
PAGE_SIZE = 50
# PostgreSQL may settle for one plan for all values when it has run a statement five times.
RUNS_UNTIL_GENERIC = 8
FIRST, MIDDLE = UUID(int=0), UUID("80000000-0000-0000-0000-000000000000")

# 400 pairs of words in titles, 323 artists, 8 genres, 60 years; one disc in a thousand is sold out, one in fifty deleted.
FILL = """
WITH words AS (
    SELECT
        '{Silent,Golden,Broken,Electric,Velvet,Midnight,Distant,Hollow,Crimson,Paper,Northern,Burning,Secret,Naked,Plastic,Lonely,Sacred,
        Wild,Frozen,Blue}'::text[] AS adjectives,
        '{River,Mirror,Garden,Engine,Harvest,Ocean,Letter,Shadow,Window,Thunder,Summer,Circle,Desert,Parade,Signal,Horizon,Machine,
        Lantern,Avenue,Orchard}'::text[] AS nouns,
        '{Rock,Jazz,Soul,Folk,Indie,Punk,Pop,MPB}'::text[] AS genres
)
INSERT INTO discs (
    id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, delete_time, created_fingerprint
)
SELECT
    md5(n::text)::uuid,
    format('%s %s %s', adjectives[1 + n % 20], nouns[1 + n / 20 % 20], n),
    format('The %s %ss', nouns[1 + n % 17], nouns[1 + n / 17 % 19]),
    1960 + n % 60, genres[1 + n / 60 % 8], 1000 + n % 3000, 100, CASE WHEN n % 1000 = 0 THEN 0 ELSE 100 END,
    CASE WHEN n % 50 = 7 THEN now() END, sha256(n::text::bytea)
FROM generate_series(1, $1) AS n, words
"""
EVERYTHING: dict[str, Any] = {
    "name": None,
    "artist": None,
    "genre": None,
    "year_from": None,
    "year_to": None,
    "in_stock": None,
    "show_deleted": False,
}


def exact(text: str) -> TextFilter:
    return TextFilter(match=TextMatch.EXACT, text=text)


def prefix(text: str) -> TextFilter:
    return TextFilter(match=TextMatch.PREFIX, text=text)


def part(text: str) -> TextFilter:
    return TextFilter(match=TextMatch.PART, text=text)


def query(first_id: UUID = FIRST, **filters: Any) -> DiscQuery:
    return DiscQuery(filter=DiscFilter(**{**EVERYTHING, **filters}), first_id=first_id, size=PAGE_SIZE)


# How PostgreSQL reads what many discs match is its choice, and hangs on a sample of the table; a fifth of it is always enough.
ANY, FIFTH = "discs_", DISCS // 5
# Each with the index that has to carry it, and the rows that it may read for a page of 50, one in fifty of them being deleted.
LISTS: list[tuple[dict[str, Any], str, int]] = [
    ({}, "discs_pkey", 70),
    ({"show_deleted": True}, "discs_pkey", 51),
    ({"name": exact("midnight THUNDER 26985")}, "discs_name_id", 1),
    ({"name": prefix("m")}, ANY, FIFTH),
    ({"name": prefix("zz")}, "discs_name_id", 0),
    ({"name": part("26985")}, "discs_text_parts", 10),
    ({"name": part("under")}, ANY, FIFTH),
    ({"name": part("no such words")}, "discs_text_parts", 0),
    ({"artist": exact("the river mirrors")}, "discs_artist_id", 70),
    ({"artist": prefix("th")}, "discs_pkey", 70),
    ({"artist": prefix("x")}, "discs_artist_id", 0),
    ({"artist": part("r mir")}, ANY, FIFTH),
    ({"genre": exact("JAZZ")}, "discs_genre_id", 70),
    ({"genre": exact("Polka")}, "discs_genre_id", 0),
    ({"genre": prefix("j")}, ANY, FIFTH),
    ({"genre": part("jaz")}, ANY, FIFTH),
    ({"year_from": 1994, "year_to": 1994}, "discs_year_id", 70),
    ({"year_from": 1990, "year_to": 1999}, ANY, FIFTH),
    ({"year_from": 2019}, ANY, FIFTH),
    ({"year_to": 1960}, ANY, FIFTH),
    ({"year_from": 2050}, "discs_year_id", 0),
    ({"in_stock": True}, "discs_pkey", 70),
    # No index may know the stock, which moves with every order, and three points have no trigram.
    ({"in_stock": False}, ANY, DISCS + FIFTH),
    ({"name": part("...")}, ANY, DISCS + FIFTH),
    ({"genre": exact("rock"), "in_stock": True}, "discs_genre_id", 70),
    ({"genre": exact("rock"), "in_stock": False}, ANY, DISCS // 4),
    ({"genre": exact("rock"), "year_from": 1994, "year_to": 1994}, ANY, FIFTH),
    ({"genre": exact("rock"), "year_from": 1990}, ANY, FIFTH),
    ({"artist": exact("the river mirrors"), "genre": exact("rock")}, ANY, FIFTH),
    ({"artist": exact("the river mirrors"), "in_stock": True}, "discs_artist_id", 70),
    ({"name": part("thunder"), "artist": part("machine")}, ANY, FIFTH),
    ({"name": part("thunder"), "year_from": 1990, "year_to": 1999}, ANY, FIFTH),
    ({"name": part("26985"), "in_stock": True, "show_deleted": True}, "discs_text_parts", 10),
]


@pytest.fixture(scope="module")
async def database(postgres: ProvisionedPostgres, spare_database: str) -> AsyncIterator[Database]:
    """A database with 100,000 discs, as the service's role sees it, over one connection."""
    owner = await asyncpg.connect(postgres.dsn(spare_database, "catalog_owner"), timeout=10)
    await owner.execute(FILL, DISCS)
    await owner.execute("VACUUM ANALYZE discs")
    await owner.close(timeout=10)
    dsn = postgres.dsn(spare_database, "catalog_service")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1, timeout=10) as pool:
        yield Database(pool, primary=Primary([], host_timeout_s=10), acquire_timeout_s=10)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan: dict[str, Any]) -> float:
    """Count the rows that were looked at, those included that a filter dropped."""
    scans = [node for node in nodes(plan) if "Scan" in node["Node Type"] and node["Node Type"] != "Bitmap Index Scan"]
    dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(
        (scan["Actual Rows"] + sum(scan.get(name, 0) for name in dropped)) * scan["Actual Loops"] for scan in scans
    )


@pytest.mark.parametrize("first_id", [FIRST, MIDDLE], ids=["first page", "page in the middle"])
@pytest.mark.parametrize(
    ("filters", "index", "rows_read_max"), LISTS, ids=[" and ".join(filters) or "everything" for filters, _, _ in LISTS]
)
async def test_a_page_is_read_through_an_index(
    database: Database, filters: dict[str, Any], index: str, rows_read_max: int, first_id: UUID
) -> None:
    text, arguments = list_statement(query(first_id, **filters))
    async with database.transaction(readonly=True) as connection:
        await connection.execute(PLAN_SETTINGS)
        explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", *arguments)
    plan = json.loads(explained)[0]["Plan"]
    assert "Seq Scan" not in [node["Node Type"] for node in nodes(plan)], explained
    if first_id == FIRST:
        assert any(node.get("Index Name", "").startswith(index) for node in nodes(plan)), explained
    assert rows_read(plan) <= rows_read_max, explained


async def test_lists_reads_edits_and_deletes_never_scan_the_whole_table(database: Database) -> None:
    discs = DiscRepository(database=database)
    scans_before = await sequential_scans(database)
    page = await discs.search(query())
    for _ in range(RUNS_UNTIL_GENERIC):
        for filters, _, _ in LISTS:
            await discs.search(query(**filters))
        await discs.get(page.discs[0].id)
        await discs.get_all([disc.id for disc in page.discs] * 20)
        for disc in page.discs[1:3]:
            await discs.edit(edit_of(disc.id))
            await discs.delete(disc.id, "")
    assert await sequential_scans(database) == scans_before


async def test_a_list_is_planned_for_its_values_each_time(database: Database) -> None:
    discs = DiscRepository(database=database)
    wanted = query(genre=exact("Jazz"), name=part("under"))
    for _ in range(RUNS_UNTIL_GENERIC):
        await discs.search(wanted)
    text, _ = list_statement(wanted)
    [planned] = await database.fetch(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1", text
    )
    assert planned["generic_plans"] == 0
    assert planned["custom_plans"] >= RUNS_UNTIL_GENERIC
    assert (await database.fetch("SHOW plan_cache_mode"))[0][0] == "auto"


async def sequential_scans(database: Database) -> int:
    await database.fetch("SELECT pg_stat_force_next_flush()")
    [row] = await database.fetch("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'discs'")
    return row["seq_scan"]


def edit_of(disc_id: UUID) -> DiscEdit:
    changed = {"name": "Edited", "artist": "Edited", "genre": "Edited", "year_of_release": 2000}
    return DiscEdit(id=disc_id, etag="", price_cents=None, **changed)
