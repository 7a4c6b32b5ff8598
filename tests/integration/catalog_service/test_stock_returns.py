"""ReturnStock: copies come back from a reservation that keeps the rest, exactly once, and never more than it holds."""

import asyncio
from typing import Any

import asyncpg
import grpc
import pytest

from catalog_service.stock import returns
from recordshop.catalog.v1 import catalog_pb2
from tests.integration.query_plans import PLAN_MODES, plan_of, sequential_scans
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import (
    APPLIED,
    CALL_TIMEOUT_S,
    RELEASED,
    RESERVED,
    RESTOCK,
    WRITE_OFF,
    StockRoom,
    new_id,
)

EXCEEDS = (grpc.StatusCode.FAILED_PRECONDITION, "RETURN_EXCEEDS_HELD")
REUSED = (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


@pytest.fixture
async def two_discs(make_disc: Any) -> list[str]:
    """Two discs with 10 copies each, in the order of their ids."""
    return sorted([(await make_disc(stock=10)).id for _ in range(2)])


@pytest.fixture
async def held(stock: StockRoom, two_discs: list[str]) -> str:
    """A reservation of 4 copies of each disc."""
    reservation_id = new_id()
    await stock.reserve(reservation_id, dict.fromkeys(two_discs, 4))
    return reservation_id


async def figures(stock: StockRoom, disc_ids: list[str]) -> list[tuple[int, int, int]]:
    balances = [await stock.balance(disc_id) for disc_id in disc_ids]
    return [(balance.moved, balance.left, balance.held) for balance in balances]


async def test_a_part_comes_back_onto_the_shelf_and_the_rest_stays_held(
    stock: StockRoom, two_discs: list[str], held: str
) -> None:
    one, other = two_discs
    returned = await stock.take_back(held, [(one, 1), (other, 3), (one, 1)])
    assert (returned.reservation_id, returned.disposition) == (held, RESTOCK)
    assert [(line.disc_id, line.quantity) for line in returned.lines] == [(one, 2), (other, 3)]
    assert await figures(stock, two_discs) == [(0, 8, 2), (0, 9, 1)]
    reservation = await stock.reservation(held, *two_discs)
    assert reservation.state == RESERVED
    assert [(line.quantity, line.returned_quantity) for line in reservation.lines] == [(4, 2), (4, 3)]
    listed = (await stock.entries(disc_id=one)).entries
    assert [(entry.line.quantity, entry.line.returned_quantity) for entry in listed] == [(4, 2)]


async def test_what_is_written_off_comes_back_and_leaves_by_a_movement_that_says_why(
    stock: StockRoom, two_discs: list[str], held: str
) -> None:
    returned = await stock.take_back(held, {two_discs[0]: 3}, disposition=WRITE_OFF)
    assert returned.disposition == WRITE_OFF
    assert await figures(stock, two_discs) == [(-3, 6, 1), (0, 6, 4)]
    (movement,) = (await stock.movements(disc_id=two_discs[0])).movements
    assert (movement.delta, movement.state, movement.stock_left) == (-3, APPLIED, 6)
    assert (movement.movement_id, movement.reason) == (
        f"return/{returned.return_id}",
        f"WRITE_OFF: returned from order {held}",
    )
    # Nobody can have taken that id before.
    bad = stock.adjust(two_discs[0], 1, movement_id=movement.movement_id)
    assert await bad_fields_of(bad) == {"movement_id"}


@pytest.mark.parametrize("disposition", [RESTOCK, WRITE_OFF])
async def test_a_return_again_gives_nothing_back_and_answers_the_same(
    stock: StockRoom, two_discs: list[str], held: str, disposition: Any
) -> None:
    return_id, lines = new_id(), dict.fromkeys(two_discs, 2)
    first = await stock.take_back(held, lines, return_id=return_id, disposition=disposition)
    again = [stock.take_back(held, lines, return_id=return_id, disposition=disposition) for _ in range(8)]
    assert all(answer == first for answer in await asyncio.gather(*again))
    before = await figures(stock, two_discs)
    await stock.release(held, *two_discs)
    assert await stock.take_back(held, lines, return_id=return_id, disposition=disposition) == first
    assert [held for _, _, held in before] == [2, 2]


async def test_equal_returns_at_once_give_back_once(stock: StockRoom, two_discs: list[str], held: str) -> None:
    for _ in range(2):
        return_id, lines = new_id(), dict.fromkeys(two_discs, 2)
        await asyncio.gather(*(stock.take_back(held, lines, return_id=return_id) for _ in range(12)))
    assert await figures(stock, two_discs) == [(0, 10, 0)] * 2


async def test_an_id_stands_for_one_return(stock: StockRoom, two_discs: list[str], held: str) -> None:
    one, other = two_discs
    return_id, second = new_id(), new_id()
    await stock.reserve(second, {one: 2})
    await stock.take_back(held, {one: 1}, return_id=return_id)
    for call in (
        stock.take_back(held, {one: 2}, return_id=return_id),
        stock.take_back(held, {one: 1, other: 1}, return_id=return_id),
        stock.take_back(held, {one: 1}, return_id=return_id, disposition=WRITE_OFF),
        stock.take_back(second, {one: 1}, return_id=return_id),
    ):
        assert (await refusal_of(call)).says(*REUSED, return_id=return_id)
    assert await figures(stock, two_discs) == [(0, 5, 5), (0, 6, 4)]


async def test_never_more_than_is_held_and_all_lines_or_none(stock: StockRoom, two_discs: list[str], held: str) -> None:
    one, other = two_discs
    await stock.take_back(held, {one: 3})
    refusal = await refusal_of(stock.take_back(held, {one: 2, other: 4}))
    assert refusal.says(*EXCEEDS, reservation_id=held, disc_id=f"{one},{other}", asked="2,4", held="1,4")
    assert await figures(stock, two_discs) == [(0, 9, 1), (0, 6, 4)]
    await stock.take_back(held, {one: 1, other: 4})
    assert (await refusal_of(stock.take_back(held, {one: 1}))).says(*EXCEEDS, held="0")
    assert (await stock.reservation(held, *two_discs)).state == RESERVED


async def test_returns_at_once_never_give_back_more_than_was_held(stock: StockRoom, make_disc: Any) -> None:
    disc = (await make_disc(stock=100)).id
    reservation_id = new_id()
    await stock.reserve(reservation_id, {disc: 10})
    calls = [stock.take_back(reservation_id, {disc: 3}, disposition=n % 2) for n in range(9)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, grpc.aio.AioRpcError) for answer in answers) == 6
    balance = await stock.balance(disc)
    assert (balance.left, balance.held) == (99, 1)


async def test_a_release_gives_back_only_what_is_still_held(stock: StockRoom, two_discs: list[str], held: str) -> None:
    await stock.take_back(held, {two_discs[0]: 3})
    await stock.take_back(held, {two_discs[1]: 1}, disposition=WRITE_OFF)
    released = await stock.release(held, *two_discs)
    assert [(line.quantity, line.returned_quantity) for line in released.lines] == [(4, 3), (4, 1)]
    assert released.state == RELEASED
    assert await figures(stock, two_discs) == [(0, 10, 0), (-1, 9, 0)]
    assert (await refusal_of(stock.take_back(held, {two_discs[0]: 1}))).says(*EXCEEDS, held="0")


async def test_returns_that_race_a_release_give_each_copy_back_once(stock: StockRoom, make_disc: Any) -> None:
    disc = (await make_disc(stock=200)).id
    reservations = [new_id() for _ in range(20)]
    for reservation_id in reservations:
        await stock.reserve(reservation_id, {disc: 10})
    parts = [stock.take_back(reservation_id, {disc: 4}) for reservation_id in reservations for _ in range(2)]
    await asyncio.gather(
        *parts[:20], *(stock.release(r, disc) for r in reservations), *parts[20:], return_exceptions=True
    )
    balance = await stock.balance(disc)
    assert (balance.left, balance.held) == (200, 0)


async def test_what_was_refused_or_never_seen_gives_nothing_back(stock: StockRoom, make_disc: Any) -> None:
    disc, refused = (await make_disc(stock=1)).id, new_id()
    await refusal_of(stock.reserve(refused, {disc: 2}))
    assert (await refusal_of(stock.take_back(refused, {disc: 1}))).says(*EXCEEDS, asked="1", held="0")
    unknown = await refusal_of(stock.take_back(new_id(), {disc: 1}))
    assert unknown.says(grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND")
    assert await stock.left(disc) == 1


@pytest.mark.parametrize("disposition", [RESTOCK, WRITE_OFF])
async def test_copies_of_a_deleted_disc_come_back(
    stock: StockRoom, catalog_stub: Any, make_disc: Any, disposition: Any
) -> None:
    disc, reservation_id = (await make_disc(stock=5)).id, new_id()
    await stock.reserve(reservation_id, {disc: 5})
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc), timeout=CALL_TIMEOUT_S)
    await stock.take_back(reservation_id, {disc: 2}, disposition=disposition)
    balance = await stock.balance(disc)
    assert (balance.left, balance.held) == (2 if disposition == RESTOCK else 0, 3)


async def test_returned_copies_are_sold_again_and_mix_with_deliveries(stock: StockRoom, make_disc: Any) -> None:
    disc, reservation_id = (await make_disc(stock=3)).id, new_id()
    await stock.reserve(reservation_id, {disc: 3})
    await stock.take_back(reservation_id, {disc: 2})
    await stock.adjust(disc, 5)
    await stock.reserve(new_id(), {disc: 7})
    assert (await refusal_of(stock.reserve(new_id(), {disc: 1}))).reason == "OUT_OF_STOCK"
    balance = await stock.balance(disc)
    assert (balance.moved, balance.left, balance.held) == (5, 0, 8)


async def test_all_bad_fields_are_named_at_once(stock: StockRoom) -> None:
    bad = stock.take_back("x", {"y": 0}, return_id="", disposition=7)
    assert await bad_fields_of(bad) == {
        "return_id",
        "reservation_id",
        "lines[0].disc_id",
        "lines[0].quantity",
        "disposition",
    }
    assert await bad_fields_of(stock.take_back(new_id(), {})) == {"lines"}
    assert await bad_fields_of(stock.take_back(new_id(), {new_id(): 1_001})) == {"lines[0].quantity"}


@pytest.mark.parametrize("mode", PLAN_MODES)
async def test_no_statement_reads_a_whole_ledger(as_service: asyncpg.Connection, mode: str) -> None:
    return_id, reservation_id, discs = new_id(), new_id(), [new_id(), new_id()]
    for statement, values in (
        (returns.RETURN, (return_id, reservation_id, discs, "{1,2}", "\\x00", "WRITE_OFF")),
        (returns.DECIDED, (return_id, discs)),
        (returns.HELD, (reservation_id, discs)),
    ):
        plan = await plan_of(as_service, mode, statement, *values)
        assert sequential_scans(plan) == [], plan
