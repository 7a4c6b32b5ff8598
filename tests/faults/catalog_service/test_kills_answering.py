"""The catalog is killed between the commit of a decision and its answer."""

import asyncio
from uuid import uuid4

import pytest

from recordshop.errors import OrderCancelling, OrderPending, OutOfStock
from tests.faults.answers import answer_of, told
from tests.faults.crashes import ANSWERING, Crash
from tests.faults.stage import Stage

NEIGHBOURS = 6


@pytest.mark.parametrize("crash", ANSWERING, ids=str)
async def test_a_kill_of_the_catalog_undoes_no_decision_and_repeats_none(stage: Stage, crash: Crash) -> None:
    disc, other = await stage.disc(stock=4 if crash.refused else 100), await stage.disc(stock=100)
    victim, *neighbours = [f"answering-{uuid4()}" for _ in range(1 + NEIGHBOURS)]
    order_id, cancelling = stage.order_id(victim), crash.ends == "CANCELLED"
    if cancelling:
        await stage.place(victim, {disc: 5})
    if crash.short_way:
        await stage.sell_out(disc, 5)
    async with stage.recovery_at_rest():
        async with stage.failpoints.trap(crash.failpoint) as trap:
            call = stage.cancel(order_id) if cancelling else stage.place(victim, {disc: 5})
            calls = [asyncio.create_task(answer_of(call))]
            held = await trap.reached()
            assert await stage.books.on_disk(order_id) == crash.on_disk
            calls += [asyncio.create_task(answer_of(stage.place(request_id, {other: 5}))) for request_id in neighbours]
            if crash.failpoint == "catalog.decided":
                await trap.reached()
            held.die()
            await stage.died(stage.catalog)
            before = await asyncio.gather(*calls)
        await stage.start(stage.catalog)
        if crash.refused:
            # What was refused stays refused, whatever is delivered before anybody hears of it.
            await stage.adjust(disc, 1_000)
    assert isinstance(before[0], OrderCancelling if cancelling else OrderPending)
    assert before[0].order_id == order_id

    await stage.books.nothing_open()
    assert (await stage.books.on_disk(order_id)).order == crash.ends
    repeats = [stage.place_at_last(victim, {disc: 5}), *(stage.place_at_last(r, {other: 5}) for r in neighbours)]
    after = await asyncio.gather(*map(answer_of, repeats))
    assert [told(answer)[0] for answer in after] == [stage.order_id(r) for r in (victim, *neighbours)]
    assert isinstance(after[0], OutOfStock) == crash.refused
    for first, last in zip(before[1:], after[1:], strict=True):
        assert told(first)[1] in {"OrderPending", "NotAccepted"} or told(first) == told(last)
    await stage.promise_kept(disc, other)
