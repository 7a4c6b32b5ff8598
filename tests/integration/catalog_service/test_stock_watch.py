"""WatchStock: a disc as it is, and every change of it, each once and in order."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import pytest

from catalog_service.stock.changes import KEPT_MAX, READ_MAX
from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from tests.integration.catalog_service.shelf import Shelf
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import WRITE_OFF, StockRoom, new_id
from tests.integration.stock_watch import Told, watch_request, watching

MakeDisc = Callable[..., Awaitable[catalog_pb2.Disc]]


def snapshot(disc_id: str, revision: int, stock: int) -> Told:
    return Told(disc_id, revision, stock, is_snapshot=True)


def change(disc_id: str, revision: int, stock: int) -> Told:
    return Told(disc_id, revision, stock, is_snapshot=False)


async def test_a_watch_begins_with_the_disc_as_it_is_and_goes_on_with_every_change(
    stock: StockRoom, make_disc: MakeDisc
) -> None:
    disc = (await make_disc(stock=10)).id
    await stock.adjust(disc, -1)
    async with watching(stock.stub, disc) as watch:
        assert await watch.next() == snapshot(disc, 1, 9)
        held = new_id()
        await stock.reserve(held, {disc: 4})
        assert await watch.next() == change(disc, 2, 5)
        await stock.take_back(held, {disc: 1}, disposition=WRITE_OFF)
        await stock.release(held, disc)
        await stock.reserve_all((new_id(), {disc: 1}), (new_id(), {disc: 1}))
        assert await watch.until(5) == [change(disc, 3, 5), change(disc, 4, 8), change(disc, 5, 6)]


async def test_several_discs_are_watched_together(stock: StockRoom, make_disc: MakeDisc) -> None:
    one, other, still = [(await make_disc(stock=5)).id for _ in range(3)]
    async with watching(stock.stub, one, other, still) as watch:
        first = [await watch.next() for _ in range(3)]
        assert sorted(first) == sorted(snapshot(disc, 0, 5) for disc in (one, other, still))
        await stock.reserve(new_id(), {one: 1, other: 2})
        assert sorted([await watch.next(), await watch.next()]) == sorted([change(one, 1, 4), change(other, 1, 3)])


async def test_a_watch_goes_on_from_a_revision_without_a_snapshot(stock: StockRoom, make_disc: MakeDisc) -> None:
    disc, other = [(await make_disc(stock=10)).id for _ in range(2)]
    for _ in range(3):
        await stock.adjust(disc, -1)
    async with watching(stock.stub, other, **{disc: 1}) as watch:
        told = [await watch.next() for _ in range(3)]
        assert sorted(told) == sorted([snapshot(other, 0, 10), change(disc, 2, 8), change(disc, 3, 7)])
    async with watching(stock.stub, **{disc: 0}) as watch:
        assert await watch.until(3) == [change(disc, 1, 9), change(disc, 2, 8), change(disc, 3, 7)]
    async with watching(stock.stub, **{disc: 3}) as watch:
        await stock.adjust(disc, 5)
        assert await watch.next() == change(disc, 4, 12)


async def test_a_watch_that_is_far_behind_catches_up_and_one_that_is_too_far_is_told_so(
    stock: StockRoom, make_disc: MakeDisc
) -> None:
    disc = (await make_disc(stock=5_000)).id
    moves = KEPT_MAX + 5
    for _ in range(moves):
        await stock.adjust(disc, -1)
    oldest = moves - KEPT_MAX
    async with watching(stock.stub, **{disc: oldest}) as watch:
        told = await watch.until(moves)
        assert told == [change(disc, revision, 5_000 - revision) for revision in range(oldest + 1, moves + 1)]
        assert len(told) > 2 * READ_MAX
    for revision in (0, oldest - 1):
        async with watching(stock.stub, **{disc: revision}) as watch:
            refusal = await refusal_of(watch.next())
        figures = {"disc_id": disc, "revision": str(revision), "oldest": str(oldest)}
        assert refusal.says(grpc.StatusCode.OUT_OF_RANGE, "REVISION_TOO_OLD", **figures)


async def test_a_revision_that_the_disc_has_not_come_to_is_refused(stock: StockRoom, make_disc: MakeDisc) -> None:
    disc = (await make_disc(stock=5)).id
    await stock.adjust(disc, 1)
    for revision in (2, 2**62):
        async with watching(stock.stub, **{disc: revision}) as watch:
            refusal = await refusal_of(watch.next())
        figures = {"disc_id": disc, "revision": str(revision), "newest": "1"}
        assert refusal.says(grpc.StatusCode.OUT_OF_RANGE, "REVISION_AHEAD", **figures)


async def test_an_unknown_disc_is_not_found_at_once(stock: StockRoom, make_disc: MakeDisc) -> None:
    disc, unknown = (await make_disc(stock=5)).id, new_id()
    for asked in ({}, {unknown: 0}):
        discs = [disc] if asked else [disc, unknown]
        async with watching(stock.stub, *discs, **asked) as watch:
            refusal = await refusal_of(watch.next())
        assert refusal.says(grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND", disc_id=unknown)


async def test_a_disc_that_is_deleted_while_watched_goes_on_to_be_watched(
    stock: StockRoom, discs: Shelf, make_disc: MakeDisc
) -> None:
    disc = (await make_disc(stock=5)).id
    held = new_id()
    await stock.reserve(held, {disc: 2})
    async with watching(stock.stub, disc) as watch:
        assert await watch.next() == snapshot(disc, 1, 3)
        await discs.delete(disc)
        await stock.release(held, disc)
        assert await watch.next() == change(disc, 2, 5)
    async with watching(stock.stub, disc) as watch:
        assert await watch.next() == snapshot(disc, 2, 5)


async def test_a_watch_ends_at_its_callers_deadline(stock: StockRoom, make_disc: MakeDisc) -> None:
    disc = (await make_disc(stock=5)).id
    async with watching(stock.stub, disc, timeout_s=1.0) as watch:
        assert await watch.next() == snapshot(disc, 0, 5)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await watch.next()
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_watchers_of_two_histories_are_told_the_same(stock: StockRoom, make_disc: MakeDisc) -> None:
    disc = (await make_disc(stock=1_000)).id
    moves = 40
    async with watching(stock.stub, disc) as early:
        assert await early.next() == snapshot(disc, 0, 1_000)
        sales = asyncio.gather(*[stock.reserve(new_id(), {disc: 1}) for _ in range(moves)])
        first = await early.next()
        async with watching(stock.stub, **{disc: 0}) as late:
            await sales
            await stock.adjust(disc, 7)
            last = 1_000 - moves + 7
            told = [await late.next()]
            while told[-1].stock != last:
                told.append(await late.next())
            assert [first, *await early.until(told[-1].revision)] == told
    assert [one.revision for one in told] == list(range(1, len(told) + 1))


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (stock_pb2.WatchStockRequest(), {"discs"}),
        (watch_request("x"), {"discs[0].disc_id"}),
        (watch_request(*[new_id() for _ in range(101)]), {"discs"}),
        (watch_request(*[new_id()] * 2), {"discs"}),
        (watch_request(**{new_id(): -1}), {"discs[0].revision"}),
        (watch_request(**{new_id(): 2**62 + 1}), {"discs[0].revision"}),
    ],
)
async def test_bad_fields_are_named(stock: StockRoom, request_: stock_pb2.WatchStockRequest, fields: set[str]) -> None:
    assert await bad_fields_of(stock.stub.WatchStock(request_, timeout=10).read()) == fields
