"""The catalog is killed between the commit of a decision and its answer, whichever way it takes its copies."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from catalog_service.settings import StrategyName
from local_shop.copies import copy_databases, drop_databases
from recordshop.errors import OrderPending, OutOfStock
from tests.faults.answers import answer_of, status_of
from tests.faults.books import OnDisk
from tests.faults.conftest import Provisioned
from tests.faults.stage import Stage, open_stage

ONE_BY_ONE = [strategy for strategy in StrategyName if strategy is not StrategyName.GROUPED]


@pytest.fixture(scope="module", params=ONE_BY_ONE, ids=str)
async def strategic_stage(request: pytest.FixtureRequest, postgres: Provisioned) -> AsyncIterator[Stage]:
    """A shop whose catalog decides one by one, in one of the ways."""
    databases = copy_databases(postgres.server, request.param)
    folder = postgres.folder / request.param
    folder.mkdir()
    catalog = {"STOCK_STRATEGY": request.param}
    async with open_stage(postgres.server, postgres.passwords, folder, databases, catalog=catalog) as stage:
        yield stage
    drop_databases(postgres.server, databases)


@pytest.mark.parametrize(("quantity", "decided"), [(2, "RESERVED"), (9, "DENIED")])
@pytest.mark.parametrize("disc_count", [1, 2])
async def test_a_kill_of_a_catalog_that_decides_one_by_one_undoes_no_decision_and_repeats_none(
    strategic_stage: Stage, quantity: int, decided: str, disc_count: int
) -> None:
    stage = strategic_stage
    discs = [await stage.disc(stock=5) for _ in range(disc_count)]
    request_id, lines = f"one-by-one-{uuid4()}", dict.fromkeys(discs, quantity)
    async with stage.recovery_at_rest():
        async with stage.failpoints.trap("catalog.decided") as trap:
            placing = asyncio.create_task(answer_of(stage.place(request_id, lines)))
            held = await trap.reached()
            assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk("PENDING", decided, 1)
            held.die()
            await stage.died(stage.catalog)
            assert isinstance(await placing, OrderPending)
        await stage.start(stage.catalog)
        # What was refused stays refused, and what was sold is sold once.
        for disc in discs:
            await stage.adjust(disc, 100)
    await stage.books.nothing_open()
    again = await answer_of(stage.place_at_last(request_id, lines))
    assert isinstance(again, OutOfStock) if decided == "DENIED" else status_of(again) == "CONFIRMED"
    await stage.promise_kept(*discs)
