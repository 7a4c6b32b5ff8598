"""The order service is killed, and killed again between two steps of its recovery."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.answers import answer_of, status_of
from tests.faults.crashes import RECOVERING, Crash
from tests.faults.stage import Stage
from tests.faults.traps import Trap

ORDERS = 4


async def left_open(stage: Stage, disc: str, *, cancelling: bool) -> list[str]:
    """Kills the service with orders under way, and answers their ids."""
    request_ids = [f"recovering-{uuid4()}" for _ in range(ORDERS)]
    order_ids = [stage.order_id(request_id) for request_id in request_ids]
    failpoint = "order.marked_cancelling" if cancelling else "order.taken_in"
    if cancelling:
        await asyncio.gather(*(stage.place(request_id, {disc: 2}) for request_id in request_ids))
    calls: list[asyncio.Future[Any]]
    async with stage.recovery_at_rest(), stage.failpoints.trap(failpoint) as trap:
        if cancelling:
            calls = [asyncio.ensure_future(answer_of(stage.cancel(order_id))) for order_id in order_ids]
            for _ in order_ids:
                held = await trap.reached()
        else:
            # One group, and one row in the journal.
            calls = [asyncio.ensure_future(stage.place_together(request_ids, {disc: 2}))]
            held = await trap.reached()
        held.die()
        await stage.died(stage.order)
    await asyncio.gather(*calls, return_exceptions=True)
    # One sweep then finds all of them.
    await stage.books.make_due()
    return order_ids


async def killed_while_recovering(stage: Stage, trap: Trap, crash: Crash, order_ids: list[str]) -> None:
    """Starts the service and kills it when its recovery has all orders at the failpoint."""
    held = await trap.reached()
    if crash.failpoint != "recovery.claimed" and crash.ends == "CANCELLED":
        for _ in order_ids[1:]:
            await trap.reached()
    assert await stage.books.all_claimed(order_ids)
    for order_id in order_ids:
        assert await stage.books.on_disk(order_id) == crash.on_disk
    held.die()
    await stage.died(stage.order)


@pytest.mark.parametrize("crash", RECOVERING, ids=str)
async def test_a_kill_of_recovery_is_recovered_from(stage: Stage, crash: Crash) -> None:
    disc = await stage.disc(stock=100)
    order_ids = await left_open(stage, disc, cancelling=crash.ends == "CANCELLED")
    async with stage.failpoints.trap(crash.failpoint) as trap:
        await stage.start(stage.order)
        await killed_while_recovering(stage, trap, crash, order_ids)
    await stage.start(stage.order)

    await stage.books.nothing_open()
    orders = await asyncio.gather(*(stage.client.get_order(order_id) for order_id in order_ids))
    assert {status_of(order) for order in orders} == {crash.ends}
    assert await stage.books.stock(disc) == (100 if crash.ends == "CANCELLED" else 100 - 2 * ORDERS)
    await stage.promise_kept(disc)
