"""The order service is killed between two steps of CreateOrder, in the midst of its clients."""

import asyncio
from collections.abc import Mapping
from uuid import uuid4

import pytest

from order_service.intake import COPY_SIZE_MIN
from recordshop.errors import OrderNotFound, OutOfStock, Unavailable
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.crashes import PLACING, Crash
from tests.faults.stage import Lines, Stage

GROUP = 4
NEIGHBOURS = 8


async def killed_while_placing(stage: Stage, crash: Crash, requests: Mapping[str, Lines]) -> list[Answer]:
    """Sends all requests, kills the service when it has the first group at the failpoint, and answers what the callers were told."""
    group, neighbours = list(requests)[:GROUP], list(requests)[GROUP:]
    async with stage.recovery_at_rest(), stage.failpoints.trap(crash.failpoint) as trap:
        placing = asyncio.create_task(stage.place_together(group, requests[group[0]]))
        held = await trap.reached()
        for request_id in group:
            assert await stage.books.on_disk(stage.order_id(request_id)) == crash.on_disk
        calls = [asyncio.create_task(answer_of(stage.place(one, requests[one]))) for one in neighbours]
        # At least one group of the neighbours gets past, or is in the midst of it.
        (await trap.reached()).go()
        held.die()
        await stage.died(stage.order)
    with pytest.raises(Unavailable) as broken:
        await placing
    return [broken.value] * GROUP + list(await asyncio.gather(*calls))


@pytest.mark.parametrize("crash", PLACING, ids=str)
async def test_a_kill_leaves_every_request_with_exactly_one_order(stage: Stage, crash: Crash) -> None:
    hot, other = [await stage.disc(stock=2 if crash.refused else 100) for _ in range(2)]
    if crash.short_way:
        await stage.sell_out(hot, 3)
        await stage.sell_out(other, 3)
    # Once the group is refused, its neighbours of the same disc go the short way, and those of the other one come by the failpoint.
    discs = [*[hot] * (GROUP + NEIGHBOURS // 2), *[other] * (NEIGHBOURS // 2)]
    requests: dict[str, Lines] = {f"placing-{uuid4()}": {disc: 3} for disc in discs}
    order_ids = [stage.order_id(request_id) for request_id in requests]
    before = await killed_while_placing(stage, crash, requests)
    if crash.refused:
        # What was refused stays refused, whatever is delivered before anybody hears of it.
        await stage.adjust(hot, 1_000)
    await stage.start(stage.order)

    await stage.books.nothing_open()
    if crash.ends is None:
        with pytest.raises(OrderNotFound):
            await stage.client.get_order(order_ids[0])
    else:
        orders = [await stage.client.get_order(order_id) for order_id in order_ids[:GROUP]]
        assert {status_of(order) for order in orders} == {crash.ends}
    after = await asyncio.gather(*(answer_of(stage.place_at_last(one, lines)) for one, lines in requests.items()))
    assert [told(answer)[0] for answer in after] == order_ids
    for answer in after[:GROUP]:
        assert isinstance(answer, OutOfStock) == crash.refused
        assert not isinstance(answer, OutOfStock) or answer.lines == {hot: (3, 2)}
    for first, last in zip(before, after, strict=True):
        assert isinstance(first, Unavailable) or told(first) == told(last), "an answer that was given stays"
    await stage.promise_kept(hot, other)


async def test_a_kill_after_a_large_group_was_copied_into_the_table_leaves_each_order_settled_once(
    stage: Stage,
) -> None:
    disc = await stage.disc(stock=2 * COPY_SIZE_MIN)
    request_ids = [f"copied-{uuid4()}" for _ in range(COPY_SIZE_MIN)]
    order_ids = [stage.order_id(request_id) for request_id in request_ids]
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.taken_in") as trap:
        placing = asyncio.create_task(stage.place_together(request_ids, {disc: 1}))
        held = await trap.reached()
        assert {await stage.books.on_disk(order_id) for order_id in order_ids} == {OnDisk("PENDING", None, 1)}
        held.die()
        await stage.died(stage.order)
    with pytest.raises(Unavailable):
        await placing
    await stage.start(stage.order)

    await stage.books.nothing_open()
    results = await stage.place_together(request_ids, {disc: 1})
    assert [result.order.order_id for result in results] == order_ids
    assert await stage.books.stock(disc) == COPY_SIZE_MIN
    await stage.promise_kept(disc)
