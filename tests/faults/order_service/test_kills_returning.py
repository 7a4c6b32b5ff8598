"""The order service, or the catalog, is killed between two steps of a return."""

import asyncio
from uuid import uuid4

import pytest

from local_shop.processes import ServiceProcess
from recordshop.errors import Unavailable
from tests.faults.answers import answer_of, status_of
from tests.faults.crashes import RETURN_ANSWERING, RETURN_RECOVERING, RETURNING, ReturnCrash
from tests.faults.stage import Stage

SOLD = 5
STOCK = 100


def lines_of(crash: ReturnCrash, disc: str) -> dict[str, int]:
    """All of the order, or a part of it."""
    return {disc: SOLD if crash.ends == "CANCELLED" else 2}


async def sold_order(stage: Stage, disc: str) -> str:
    """Sells the order that loses its return, and answers its id."""
    return (await stage.place(f"returning-{uuid4()}", {disc: SOLD})).id


async def killed_at(stage: Stage, crash: ReturnCrash, process: ServiceProcess, order_id: str, disc: str) -> None:
    """Kills the process when the return stands at the failpoint, and holds that its caller is told to ask again."""
    async with stage.recovery_at_rest(), stage.failpoints.trap(crash.failpoint) as trap:
        call = asyncio.create_task(answer_of(stage.take_back(order_id, lines_of(crash, disc))))
        held = await trap.reached()
        assert await stage.books.on_disk(order_id) == crash.on_disk
        held.die()
        await stage.died(process)
        assert isinstance(await call, Unavailable)


async def ended_well(stage: Stage, crash: ReturnCrash, order_id: str, disc: str) -> None:
    """Waits until nothing is open, and holds that the copies came back once, however often they are returned."""
    await stage.books.nothing_open()
    settled = await stage.client.get_order(order_id)
    assert status_of(settled) == crash.ends
    lines = lines_of(crash, disc)
    assert await stage.take_back_at_last(order_id, lines) == settled
    assert [line.returned_quantity for line in settled.lines] == list(lines.values())
    assert await stage.books.stock(disc) == STOCK - SOLD + lines[disc]
    await stage.promise_kept(disc)


@pytest.mark.parametrize("crash", RETURNING, ids=str)
async def test_a_kill_leaves_the_copies_back_once(stage: Stage, crash: ReturnCrash) -> None:
    disc = await stage.disc(stock=STOCK)
    order_id = await sold_order(stage, disc)
    await killed_at(stage, crash, stage.order, order_id, disc)
    await stage.start(stage.order)
    await ended_well(stage, crash, order_id, disc)


@pytest.mark.parametrize("crash", RETURN_RECOVERING, ids=str)
async def test_a_kill_of_the_recovery_of_a_return_is_recovered_from(stage: Stage, crash: ReturnCrash) -> None:
    disc = await stage.disc(stock=STOCK)
    order_id = await sold_order(stage, disc)
    recorded = next(known for known in RETURNING if known.ends == crash.ends)
    await killed_at(stage, recorded, stage.order, order_id, disc)
    await stage.books.make_due()
    async with stage.failpoints.trap(crash.failpoint) as trap:
        await stage.start(stage.order)
        held = await trap.reached()
        assert await stage.books.all_claimed([order_id])
        assert await stage.books.on_disk(order_id) == crash.on_disk
        held.die()
        await stage.died(stage.order)
    await stage.start(stage.order)
    await ended_well(stage, crash, order_id, disc)


@pytest.mark.parametrize("crash", RETURN_ANSWERING, ids=str)
async def test_a_kill_of_the_catalog_repeats_no_return(stage: Stage, crash: ReturnCrash) -> None:
    disc = await stage.disc(stock=STOCK)
    order_id = await sold_order(stage, disc)
    await killed_at(stage, crash, stage.catalog, order_id, disc)
    await stage.start(stage.catalog)
    await ended_well(stage, crash, order_id, disc)
