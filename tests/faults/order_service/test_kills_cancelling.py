"""The order service is killed between two steps of CancelOrder."""

import asyncio
from uuid import uuid4

import pytest

from recordshop.errors import Unavailable
from tests.faults.answers import answer_of, status_of
from tests.faults.crashes import CANCELLING, Crash
from tests.faults.stage import Stage

NEIGHBOURS = 4


@pytest.mark.parametrize("crash", CANCELLING, ids=str)
async def test_a_kill_leaves_the_order_cancelled_and_its_copies_back(stage: Stage, crash: Crash) -> None:
    disc = await stage.disc(stock=100)
    victim, *neighbours = [f"cancelling-{uuid4()}" for _ in range(1 + NEIGHBOURS)]
    order_ids = [stage.order_id(request_id) for request_id in (victim, *neighbours)]
    traps = stage.failpoints
    for request_id in neighbours:
        await stage.place(request_id, {disc: 2})
    async with stage.recovery_at_rest(), traps.trap(crash.failpoint) as trap, traps.trap("order.taken_in") as undecided:
        placing = asyncio.create_task(answer_of(stage.place(victim, {disc: 5})))
        held_placing = await undecided.reached()
        if crash.on_disk.ledger is not None:
            held_placing.go()
            await placing
        calls = [asyncio.create_task(answer_of(stage.cancel(order_ids[0])))]
        held = await trap.reached()
        assert await stage.books.on_disk(order_ids[0]) == crash.on_disk
        calls += [asyncio.create_task(answer_of(stage.cancel(order_id))) for order_id in order_ids[1:]]
        await trap.reached()
        held.die()
        await stage.died(stage.order)
    assert isinstance((await asyncio.gather(*calls))[0], Unavailable)
    await placing
    await stage.start(stage.order)

    await stage.books.nothing_open()
    assert status_of(await stage.client.get_order(order_ids[0])) == crash.ends
    cancelled = await asyncio.gather(*(stage.cancel_at_last(order_id) for order_id in order_ids))
    assert [(order.id, status_of(order)) for order in cancelled] == [(order_id, "CANCELLED") for order_id in order_ids]
    replayed = await stage.place_at_last(victim, {disc: 5})
    assert (replayed.id, status_of(replayed)) == (order_ids[0], "CANCELLED")
    assert await stage.books.stock(disc) == 100
    await stage.promise_kept(disc)
