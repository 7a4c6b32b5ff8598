"""The stock room's own holes, as orders fall into them."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest

from local_shop.process_logs import FileLog
from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.errors import DiscDeleted, MovementIdReused, OutOfStock, StockBelowZero
from tests.faults.answers import answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import CALL_TIMEOUT_S, Lines, Stage
from tests.faults.waiting import eventually

WAITING_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
LOCK = "SELECT FROM discs WHERE id = $1 FOR UPDATE NOWAIT"
TOMBSTONE = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count)
SELECT disc_id, $2, 'RELEASED', 0, cardinality($1::uuid[]) FROM unnest($1::uuid[]) AS disc_id
"""
NEGATIVE = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count, fingerprint, name, price_cents)
VALUES ($1, $2, 'RESERVED', -7, 1, decode(repeat('00', 16), 'hex'), 'x', 1)
"""


async def test_equal_reserves_at_once_take_the_stock_once(stage: Stage) -> None:
    disc = await stage.disc(stock=25)
    requests = [
        stock_pb2.ReserveStockRequest(
            reservation_id=str(uuid4()), lines=[stock_pb2.StockLine(disc_id=disc, quantity=1)]
        )
        for _ in range(20)
    ]
    calls = [stage.shop.stock.ReserveStock(request, timeout=CALL_TIMEOUT_S) for request in requests for _ in range(6)]
    assert {answer.state for answer in await asyncio.gather(*calls)} == {stock_pb2.RESERVATION_STATE_RESERVED}
    assert await stage.books.stock(disc) == 5
    releases = [
        stage.shop.stock.ReleaseStock(
            stock_pb2.ReleaseStockRequest(reservation_id=request.reservation_id, disc_ids=[disc]),
            timeout=CALL_TIMEOUT_S,
        )
        for request in requests
        for _ in range(3)
    ]
    assert {answer.state for answer in await asyncio.gather(*releases)} == {stock_pb2.RESERVATION_STATE_RELEASED}
    assert await stage.books.stock(disc) == 25


@pytest.mark.parametrize("disc_count", [1, 2])
async def test_a_tombstone_that_comes_while_a_reserve_is_written_undoes_all_of_it(
    stage: Stage, disc_count: int
) -> None:
    discs, reservation_id = [await stage.disc(stock=9) for _ in range(disc_count)], uuid4()
    reserve = stock_pb2.ReserveStockRequest(
        reservation_id=str(reservation_id), lines=[stock_pb2.StockLine(disc_id=disc, quantity=2) for disc in discs]
    )
    async with stage.books.catalog.acquire() as connection:
        async with connection.transaction():
            # A release on its way: the reserve does not see it yet when it looks into the ledger.
            await connection.execute(TOMBSTONE, [UUID(disc) for disc in discs], reservation_id)
            call = stage.shop.stock.ReserveStock(reserve, timeout=CALL_TIMEOUT_S)
            code = asyncio.ensure_future(call.code())
            await eventually(lambda: connection.fetchval(WAITING_FOR_ME), lambda count: count == 1)
        assert await code is grpc.StatusCode.FAILED_PRECONDITION
    assert [await stage.books.stock(disc) for disc in discs] == [9] * disc_count
    await stage.promise_kept(*discs)


async def test_a_restock_that_is_retried_while_the_disc_sells_counts_once(stage: Stage) -> None:
    disc, movement_id = await stage.disc(stock=10), f"delivery-{uuid4()}"
    restocks = [stage.adjust(disc, 5, movement_id) for _ in range(8)]
    sales = [answer_of(stage.place(f"restock-{uuid4()}", {disc: 1})) for _ in range(8)]
    moved = await asyncio.gather(*restocks)
    assert {(movement.delta, movement.movement_id) for movement in moved} == {(5, movement_id)}
    assert len({movement.stock_left for movement in moved}) == 1
    assert {told(answer)[1] for answer in await asyncio.gather(*sales)} == {"CONFIRMED"}
    with pytest.raises(MovementIdReused):
        await stage.adjust(disc, 6, movement_id)
    assert await stage.books.stock(disc) == 10 + 5 - 8
    await stage.promise_kept(disc)


async def test_a_refused_movement_stays_refused_when_there_would_be_enough(stage: Stage) -> None:
    disc, movement_id = await stage.disc(stock=2), f"loss-{uuid4()}"
    for _ in range(2):
        with pytest.raises(StockBelowZero):
            await stage.adjust(disc, -5, movement_id)
        await stage.adjust(disc, 10)
    assert await stage.books.stock(disc) == 22
    await stage.promise_kept(disc)


async def test_a_disc_deleted_while_reserved_gets_its_copies_back(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    sold, underway = await stage.place(f"kept-{uuid4()}", {disc: 1}), f"underway-{uuid4()}"
    async with stage.failpoints.trap("order.stock_answered") as trap:
        placing = asyncio.create_task(stage.place(underway, {disc: 3}))
        held = await trap.reached()
        await stage.shop.catalog.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc), timeout=CALL_TIMEOUT_S)
        held.go()
        order = await placing
    assert status_of(order) == "CONFIRMED"
    with pytest.raises(DiscDeleted):
        await stage.place(f"too-late-{uuid4()}", {disc: 1})
    assert status_of(await stage.cancel(order.id)) == "CANCELLED"
    assert await stage.books.stock(disc) == 8
    assert status_of(await stage.client.get_order(sold.id)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_a_refusal_is_final_whatever_is_delivered_afterwards(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=2), f"sold-out-{uuid4()}"
    figures = []
    for _ in range(2):
        with pytest.raises(OutOfStock) as raised:
            await stage.place(request_id, {disc: 3})
        figures.append(raised.value.lines)
        await stage.adjust(disc, 10)
    assert figures == [{disc: (3, 2)}, {disc: (3, 2)}]
    assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk("REJECTED", "DENIED", 0)
    assert status_of(await stage.place(f"new-{uuid4()}", {disc: 3})) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_orders_of_several_discs_in_opposite_orders_never_deadlock(stage: Stage) -> None:
    discs = [await stage.disc(stock=60) for _ in range(4)]
    log_before = deadlocks_told(stage)

    def lines(turn: int) -> Lines:
        return dict.fromkeys([*discs[turn % 4 :], *discs[: turn % 4]][:: 1 if turn % 2 else -1], 1)

    first = await asyncio.gather(*(stage.place(f"opposite-{uuid4()}", lines(turn)) for turn in range(40)))
    # New ones take the discs while those give them back.
    cancels = [stage.cancel(order.id) for order in first]
    answers = await asyncio.gather(
        *cancels, *(answer_of(stage.place(f"opposite-{uuid4()}", lines(turn))) for turn in range(40))
    )
    told_of = [told(answer)[1] for answer in answers]
    assert told_of[:40] == ["CANCELLED"] * 40
    assert set(told_of[40:]) <= {"CONFIRMED", "OutOfStock"}
    assert [await stage.books.stock(disc) for disc in discs] == [60 - told_of[40:].count("CONFIRMED")] * 4
    assert deadlocks_told(stage) == log_before
    await stage.promise_kept(*discs)


@pytest.mark.parametrize("what", ["reserve", "group", "release"])
async def test_who_waits_for_a_disc_holds_none_that_comes_after_it(stage: Stage, what: str) -> None:
    first, second = sorted([await stage.disc(stock=9), await stage.disc(stock=9)])
    for _ in range(6):
        ids = [str(uuid4()), str(uuid4())]
        lines = [stock_pb2.StockLine(disc_id=disc, quantity=1) for disc in (second, first)]
        both = stock_pb2.ReserveStockRequest(reservation_id=ids[0], lines=lines)
        singles = [stock_pb2.ReserveStockRequest(reservation_id=ids[n], lines=[line]) for n, line in enumerate(lines)]
        releases = [stock_pb2.ReleaseStockRequest(reservation_id=ids[0], disc_ids=[second, first])]
        if what == "group":
            group = stock_pb2.BatchReserveStockRequest(requests=singles)
            await waits_with_empty_hands(stage, partial(stage.shop.stock.BatchReserveStock, group), first, second)
            asked = zip(ids, (second, first), strict=True)
            releases = [stock_pb2.ReleaseStockRequest(reservation_id=own, disc_ids=[disc]) for own, disc in asked]
        elif what == "reserve":
            await waits_with_empty_hands(stage, partial(stage.shop.stock.ReserveStock, both), first, second)
        else:
            await stage.shop.stock.ReserveStock(both, timeout=CALL_TIMEOUT_S)
            await waits_with_empty_hands(stage, partial(stage.shop.stock.ReleaseStock, releases[0]), first, second)
        for release in releases:
            await stage.shop.stock.ReleaseStock(release, timeout=CALL_TIMEOUT_S)
    await stage.promise_kept(first, second)


async def waits_with_empty_hands(
    stage: Stage, call: "Callable[..., grpc.aio.UnaryUnaryCall[Any, Any]]", first: str, second: str
) -> None:
    """Has the call wait for the first disc, and takes the second one meanwhile, which must be free."""
    async with stage.books.catalog.acquire() as connection, connection.transaction():
        await connection.execute(LOCK, UUID(first))
        code = asyncio.ensure_future(call(timeout=CALL_TIMEOUT_S).code())
        await eventually(lambda: connection.fetchval(WAITING_FOR_ME), lambda count: count == 1)
        await connection.execute(LOCK, UUID(second))
    assert await code is grpc.StatusCode.OK


def deadlocks_told(stage: Stage) -> int:
    """Counts the catalog's own lines about deadlocks: the database's statistics come late."""
    log = stage.catalog._log
    assert isinstance(log, FileLog)
    return log.path.read_text().count("rolled back by the database")


async def test_the_ledger_itself_refuses_a_negative_quantity(stage: Stage) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await stage.books.catalog.execute(NEGATIVE, UUID(int=7), UUID(int=8))
