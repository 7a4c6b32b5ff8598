"""No figure is made of a round that the databases do not confirm."""

from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from benchmarks import shops
from benchmarks.blocks import Block, run_block
from benchmarks.errors import BenchmarkFailed
from benchmarks.h2load import H2load
from benchmarks.load import LoadGenerator
from benchmarks.locks import tls_alone, tls_and_tokens
from benchmarks.menu import Menu
from benchmarks.pgbench import Pgbench
from benchmarks.plan import smallest_plan
from benchmarks.results import Results
from benchmarks.shops import BenchShop
from benchmarks.stage import Stage
from local_shop.cluster import SUPERUSER
from tests.support.load_clients import CLIENTS

PLAN = smallest_plan()
# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=CLIENTS)
def generator(request: pytest.FixtureRequest) -> LoadGenerator:
    found: LoadGenerator = request.getfixturevalue(request.param)
    return found


async def decisions_by_transaction(shop: BenchShop) -> tuple[int, int]:
    """Count the transactions that decided orders, and the orders."""
    statement = "SELECT count(DISTINCT xmin::text), count(*) FROM orders WHERE status = 'CONFIRMED'"
    row = await shop.books._orders.fetchrow(statement)
    return row[0], row[1]


async def test_either_client_sells_and_is_refused_and_the_books_agree(stage: Stage, generator: LoadGenerator) -> None:
    menu = Menu(PLAN, stage.props, generator)
    async with stage.shop(f"sells_{type(generator).__name__.lower()}") as shop:
        rows = [
            menu.single("unary", shop),
            menu.refused("refused", shop),
            menu.batch("batch", shop, size=100, clients=2),
            menu.stream("stream", shop, clients=2),
        ]
        told = [await row.measure() for row in rows]
        assert [one.fault for one in told] == [None] * 4
        assert [one.orders for one in told] == [180, 180, 400, 800]
        verdict = await shop.audit()
    assert verdict.disagreements == 0
    assert verdict.copies_sold == 1 + 180 + 400 + 800


async def test_either_client_sells_behind_each_lock(stage: Stage, generator: LoadGenerator, tmp_path: Path) -> None:
    for name, lock in (("tls", tls_alone(tmp_path / "tls")), ("locked", tls_and_tokens(tmp_path / "locked"))):
        async with stage.shop(f"{name}_{type(generator).__name__.lower()}", lock=lock) as shop:
            told = await Menu(PLAN, stage.props, generator).single("unary", shop).measure()
            assert (told.fault, told.orders) == (None, 180)
            verdict = await shop.audit()
        assert (verdict.disagreements, verdict.copies_sold) == (0, 1 + 180)


async def test_nothing_counts_that_was_sent_without_the_token(
    stage: Stage, client: LoadGenerator, tmp_path: Path
) -> None:
    lock = tls_and_tokens(tmp_path)
    without = replace(lock, entrance=replace(lock.entrance, token=""))
    async with stage.shop("without_the_token", lock=without) as shop:
        row = Menu(PLAN, stage.props, client).single("unary", shop)
        try:
            told = await row.measure()
        except BenchmarkFailed:  # ghz knows that nothing was answered.
            return
    assert "the database holds none" in str(told.fault)


async def test_replays_are_no_orders(stage: Stage, client: LoadGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    # The service as it is shipped: one body for ever is one order for ever, which is answered quickly.
    monkeypatch.setattr(shops, "ORDER_ENTRY", ("-m", "order_service"))
    async with stage.shop("replays") as shop:
        row = Menu(PLAN, stage.props, client).single("unary", shop)
        told = [one async for one in run_block(Block("block", [row], rounds=1, rounds_min=1))]
    assert told[0].orders == 180
    assert not any(one.counts for one in told)
    assert "180 orders were answered and should be CONFIRMED; the database holds none" in str(told[1].fault)


async def test_errors_are_no_orders(stage: Stage, client: LoadGenerator) -> None:
    # To HTTP an error of gRPC's is an answer like any other.
    async with stage.shop("errors") as shop:
        shop.local.catalog.pause()
        try:
            row = Menu(PLAN, stage.props, client).single("unary", shop)
            told = await row.measure()
        finally:
            shop.local.catalog.resume()
    assert "180 orders were answered and should be CONFIRMED" in str(told.fault)


async def test_no_round_counts_of_a_shop_that_lost_an_order(stage: Stage, client: LoadGenerator) -> None:
    results = Results()
    async with stage.shop("lost") as shop:
        told = await Menu(PLAN, stage.props, client).single("unary", shop).measure()
        results.rounds.append(told)
        await shop.books._orders.execute("DELETE FROM orders WHERE id IN (SELECT id FROM orders LIMIT 1)")
        results.judge("lost", await shop.audit())
    assert told.counts
    assert results.verdicts["lost"].disagreements > 0
    assert [one.fault for one in results.rounds] == ["the audit disagrees"]


async def test_only_the_baseline_decides_order_by_order(stage: Stage, client: LoadGenerator) -> None:
    menu = Menu(PLAN, stage.props, client)
    for name, pool in (("grouped", None), ("order_by_order", 8)):
        async with stage.shop(name, ungrouped_pool=pool) as shop:
            told = await menu.single(name, shop).measure()
            transactions, orders = await decisions_by_transaction(shop)
        assert told.fault is None
        assert orders == 1 + 180
        assert (transactions == orders) == (name == "order_by_order")


async def test_pgbench_is_held_against_its_tables(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pgbench = Pgbench(stage.server, tmp_path)
    await pgbench.prepare()
    row = Menu(PLAN, stage.props, H2load(Path(), "", tmp_path)).pgbench("pgbench", pgbench, stage.server)
    told = await row.measure()
    assert told.fault is None
    assert told.orders == 180
    await in_database(
        stage,
        "CREATE RULE lost AS ON INSERT TO orders DO INSTEAD NOTHING",
    )
    assert "the database holds 180 copies taken, 0 orders" in str((await row.measure()).fault)


async def in_database(stage: Stage, sql: str) -> None:
    connection = await asyncpg.connect(stage.server.dsn("pgbench", SUPERUSER, stage.server.admin_password), timeout=10)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
