"""Every move of a disc's stock is counted and kept, by the statement that makes it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from recordshop.catalog.v1 import catalog_pb2
from tests.conftest import ProvisionedPostgres
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import RELEASED, RESTOCK, WRITE_OFF, StockRoom, new_id

MIGRATION = Path(__file__).parents[3] / "db" / "catalog" / "0006_stock_changes.sql"
KEPT_MAX = 1_024
KEPT = "SELECT revision, stock FROM stock_changes WHERE disc_id = $1 ORDER BY revision"

MakeDisc = Callable[..., Awaitable[catalog_pb2.Disc]]


class Counter:
    """What the catalog's tables say of a disc's moves."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def revision(self, disc_id: str) -> int:
        """Read how often the disc's stock was moved; the last move is kept with what is left, unless there was none."""
        row = await self._connection.fetchrow("SELECT revision, stock FROM discs WHERE id = $1", UUID(disc_id))
        assert not row["revision"] or (await self.kept(disc_id))[-1] == tuple(row)
        return int(row["revision"])

    async def kept(self, disc_id: str) -> list[tuple[int, int]]:
        """Read the moves that are kept, as revision and stock."""
        return [tuple(row) for row in await self._connection.fetch(KEPT, UUID(disc_id))]


@pytest.fixture
async def counter(postgres: ProvisionedPostgres) -> AsyncIterator[Counter]:
    connection = await asyncpg.connect(postgres.admin_dsn("catalog"), timeout=10)
    yield Counter(connection)
    await connection.close()


async def test_each_call_that_moves_stock_counts_one_move_of_each_disc(
    stock: StockRoom, make_disc: MakeDisc, counter: Counter
) -> None:
    one, other = [(await make_disc(stock=10)).id for _ in range(2)]
    single, several, batched = new_id(), new_id(), new_id()
    moves: list[tuple[int, Callable[[], Awaitable[object]]]] = [
        (8, lambda: stock.reserve(single, {one: 2})),
        (5, lambda: stock.reserve(several, {one: 3, other: 1})),
        (4, lambda: stock.reserve_all((batched, {one: 1}))),
        (5, lambda: stock.take_back(several, {one: 1}, disposition=RESTOCK)),
        (5, lambda: stock.take_back(several, {one: 1, other: 1}, disposition=WRITE_OFF)),
        (7, lambda: stock.release(single, one)),
        (8, lambda: stock.release(several, *sorted([one, other]))),
        (12, lambda: stock.adjust(one, 4)),
        (11, lambda: stock.adjust(one, -1)),
    ]
    for revision, (left, move) in enumerate(moves, start=1):
        await move()
        assert await counter.revision(one) == revision
        assert (await counter.kept(one))[-1] == (revision, left)
    assert await counter.kept(other) == [(1, 9), (2, 9), (3, 9)]


async def test_what_moves_nothing_counts_nothing(stock: StockRoom, make_disc: MakeDisc, counter: Counter) -> None:
    disc = (await make_disc(stock=3)).id
    held = new_id()
    await stock.reserve(held, {disc: 2})
    await stock.reserve(held, {disc: 2})
    assert (await refusal_of(stock.reserve(new_id(), {disc: 2}))).reason == "OUT_OF_STOCK"
    assert await stock.deny((new_id(), {disc: 2})) == [1]
    assert (await refusal_of(stock.adjust(disc, -2))).reason == "STOCK_BELOW_ZERO"
    assert (await refusal_of(stock.take_back(held, {disc: 3}))).reason == "RETURN_EXCEEDS_HELD"
    assert (await stock.release(new_id(), disc)).state == RELEASED
    assert await counter.revision(disc) == 1
    for _ in range(2):
        await stock.adjust(disc, 5, movement_id="delivery")
        await stock.release(held, disc)
    assert await counter.kept(disc) == [(1, 1), (2, 6), (3, 8)]


async def test_the_group_is_one_move_of_each_disc_that_it_sells(
    stock: StockRoom, make_disc: MakeDisc, counter: Counter
) -> None:
    hot, cold, empty = [(await make_disc(stock=copies)).id for copies in (20, 20, 0)]
    await stock.reserve_all(*[(new_id(), {disc: 1}) for disc in (hot, cold, empty, hot, hot)])
    assert await counter.kept(hot) == [(1, 17)]
    assert await counter.kept(cold) == [(1, 19)]
    assert await counter.kept(empty) == []


async def test_a_disc_keeps_its_last_1024_moves_however_many_there_were(
    stock: StockRoom, make_disc: MakeDisc, counter: Counter
) -> None:
    disc = (await make_disc(stock=2_000)).id
    moves = KEPT_MAX + 3
    for _ in range(moves):
        await stock.adjust(disc, -1)
    kept = await counter.kept(disc)
    assert kept == [(revision, 2_000 - revision) for revision in range(moves - KEPT_MAX + 1, moves + 1)]


async def test_the_migration_can_be_undone_and_done_again(as_owner: asyncpg.Connection) -> None:
    _, up, down = re.split("^-- migrate:(?:up|down)$", MIGRATION.read_text(encoding="utf-8"), flags=re.MULTILINE)
    function = "SELECT prosrc, proconfig FROM pg_proc WHERE proname = 'reserve_stock'"
    async with as_owner.transaction():
        after = await as_owner.fetchrow(function)
        await as_owner.execute(down)
        before = await as_owner.fetchrow(function)
        assert "stock_changes" not in before["prosrc"]
        await as_owner.execute(up)
        assert await as_owner.fetchrow(function) == after
    assert before["proconfig"] == after["proconfig"] == ["plan_cache_mode=force_generic_plan"]
