"""Strategies that decide one by one: who asks for an order gets it, who finds no place is told so, and who meets others each time too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from catalog_service.settings import StrategyName
from tests.conftest import ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.catalog_service.strategy_room import (
    LOCK,
    MOVED,
    Room,
    open_room,
    what_was_said,
)
from tests.integration.refusals import read_refusal, refusal_of
from tests.integration.stock_room import RESERVED, new_id
from tests.opened_shop import OpenedShop

CONTENDING = [strategy for strategy in StrategyName if strategy is not StrategyName.GROUPED]
WAITING_MAX = 1_000
IN_FLIGHT = 3
OpenShop = Callable[..., Awaitable[OpenedShop]]


@pytest.fixture
async def hasty(fresh_shop: OpenShop, postgres: ProvisionedPostgres) -> AsyncIterator[Room]:
    """An optimistic catalog that gives up at its first conflict."""
    async with open_room(postgres, fresh_shop, StrategyName.OPTIMISTIC, OPTIMISTIC_ATTEMPTS_MAX="1") as room:
        yield room


@pytest.fixture(params=CONTENDING, ids=str)
async def narrow(
    request: pytest.FixtureRequest, fresh_shop: OpenShop, postgres: ProvisionedPostgres
) -> AsyncIterator[Room]:
    """A catalog in which few are under way, and few may wait."""
    limits = {"CONTENDING_IN_FLIGHT_MAX": str(IN_FLIGHT), "RESERVATIONS_WAITING_MAX": str(WAITING_MAX)}
    async with open_room(postgres, fresh_shop, request.param, **limits) as room:
        yield room


async def test_the_last_copies_of_a_batch_in_order_go_to_those_who_come_first_in_it(room: Room) -> None:
    discs = [await room.disc(20) for _ in range(2)]
    asked = [(new_id(), {disc: 1}) for _ in range(30) for disc in discs]
    said = what_was_said(await room.in_order(*asked))
    for place in range(2):
        assert said[place::2] == [*reversed(range(20)), *["OUT_OF_STOCK"] * 10]


async def test_who_asks_in_order_for_more_than_is_left_holds_up_nobody(room: Room) -> None:
    disc = await room.disc(5)
    asked = [(new_id(), {disc: quantity}) for quantity in (2, 4, 2, 2, 1)]
    assert what_was_said(await room.in_order(*asked)) == [3, "OUT_OF_STOCK", 1, "OUT_OF_STOCK", 0]
    await room.stock.adjust(disc, 100)
    assert what_was_said(await room.in_order(*reversed(asked))) == [0, "OUT_OF_STOCK", 1, "OUT_OF_STOCK", 3]


# Grouped, one statement decides all of them.
@pytest.mark.parametrize("room", CONTENDING, indirect=True, ids=str)
async def test_who_asks_in_order_waits_for_their_disc_and_for_no_other(room: Room) -> None:
    held, free = await room.disc(9), await room.disc(9)
    behind = new_id()
    async with room.admin.transaction():
        await room.admin.execute(LOCK, UUID(held))
        async with room.other_admin.transaction():
            await room.other_admin.execute(LOCK, UUID(free))
            asked = [*[(new_id(), {held: 1}) for _ in range(6)], (behind, {free: 1})]
            answering = asyncio.ensure_future(room.in_order(*asked))
            await eventually(room.all_who_wait, lambda count: count >= 2)
        await eventually(lambda: room.entries(behind), lambda count: count == 1)
        assert await room.all_who_wait() == 1
    assert what_was_said(await answering) == [8, 7, 6, 5, 4, 3, 8]


async def test_nobody_passes_a_reservation_in_order_that_was_left_undecided(hasty: Room) -> None:
    disc, other = await hasty.disc(5), await hasty.disc(5)
    asked = [(new_id(), {disc: 3}), (new_id(), {disc: 3}), (new_id(), {other: 1}), (new_id(), {disc: 1})]
    async with hasty.admin.transaction():
        await hasty.admin.execute(MOVED, UUID(disc))
        answering = asyncio.ensure_future(hasty.in_order(*asked))
        await hasty.one_waits()
    said = what_was_said(await answering)
    assert said == ["CONFLICT_RETRIES_EXHAUSTED", "NOT_ACCEPTED", 4, "NOT_ACCEPTED"]
    assert [await hasty.entries(reservation_id) for reservation_id, _ in asked] == [0, 0, 1, 0]
    assert what_was_said(await hasty.in_order(*asked)) == [2, "OUT_OF_STOCK", 4, 1]


async def test_retries_that_are_used_up_leave_nothing_and_the_next_call_decides(hasty: Room) -> None:
    disc, other = await hasty.disc(5), await hasty.disc(5)
    for lines in ({disc: 2}, {disc: 1, other: 1}):
        reservation_id = new_id()
        async with hasty.admin.transaction():
            await hasty.admin.execute(MOVED, UUID(disc))
            call = asyncio.ensure_future(refusal_of(hasty.stock.reserve(reservation_id, lines)))
            await hasty.one_waits()
        refusal = await call
        assert refusal.says(grpc.StatusCode.ABORTED, "CONFLICT_RETRIES_EXHAUSTED", reservation_id=reservation_id)
        assert await hasty.entries(reservation_id) == 0
        assert (await hasty.stock.reserve(reservation_id, lines)).state == RESERVED
    assert (await hasty.stock.left(disc), await hasty.stock.left(other)) == (2, 4)
    assert (await hasty.counts(disc), await hasty.counts(other)) == (2, 1)


async def test_who_finds_no_place_is_told_when_to_come_again_and_nothing_is_done(narrow: Room) -> None:
    disc = await narrow.disc(2 * WAITING_MAX)
    late, batch = [new_id() for _ in range(IN_FLIGHT + 1)], [(new_id(), {disc: 1}) for _ in range(IN_FLIGHT + 1)]
    async with narrow.admin.transaction():
        await narrow.admin.execute(LOCK, UUID(disc))
        asked = [(new_id(), {disc: 1}) for _ in range(WAITING_MAX)]
        filling = asyncio.ensure_future(narrow.stock.reserve_all(*asked))
        await eventually(narrow.all_who_wait, lambda count: count == IN_FLIGHT)
        # One more than there are places; of a batch that does not fit as a whole, none is taken.
        assert what_was_said(await narrow.stock.reserve_all(*batch)) == ["OVERLOADED"] * len(batch)
        calls = {asyncio.ensure_future(narrow.stock.reserve(one, {disc: 1})): one for one in late}
        [refused], _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        error = refused.exception()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert read_refusal(error).says(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert retry_delay_s(error) > 0
    await asyncio.wait({filling, *calls})
    assert [await narrow.entries(one) for one in (calls[refused], *dict(batch))] == [0] * (1 + len(batch))
    assert (await narrow.stock.reserve(calls[refused], {disc: 1})).state == RESERVED


def retry_delay_s(error: grpc.aio.AioRpcError) -> float:
    """Read the RetryInfo of an error."""
    status = rpc_status.from_call(error)
    assert status is not None
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    return retry.retry_delay.ToNanoseconds() / 1e9
