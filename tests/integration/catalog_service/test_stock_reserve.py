"""ReserveStock: all lines or none, decided once."""

from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import CALL_TIMEOUT_S, DENIED, RESERVED, StockRoom, new_id

FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def test_a_reservation_takes_its_copies_and_answers_the_disc_as_sold(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(name="Blue Train", artist="John Coltrane", price_cents=2_599, stock=10)
    reservation_id = new_id()
    reservation = await stock.reserve(reservation_id, {disc.id: 3})
    (line,) = reservation.lines
    assert (reservation.reservation_id, reservation.state) == (reservation_id, RESERVED)
    assert (line.disc_id, line.quantity, line.stock_left, line.reason) == (disc.id, 3, 7, "")
    assert (line.name, line.artist, line.price_cents) == ("Blue Train", "John Coltrane", 2_599)
    assert reservation.create_time.seconds > 0
    assert reservation.update_time == reservation.create_time
    balance = await stock.balance(disc.id)
    assert (balance.opening, balance.moved, balance.left, balance.held) == (10, 0, 7, 3)


async def test_a_reservation_asked_for_again_takes_nothing_and_answers_the_same(
    stock: StockRoom, make_disc: Any
) -> None:
    disc = await make_disc(stock=10)
    reservation_id = new_id()
    first = await stock.reserve(reservation_id, {disc.id: 3})
    await stock.reserve(new_id(), {disc.id: 1})
    assert await stock.reserve(reservation_id, {disc.id: 3}) == first
    assert await stock.left(disc.id) == 6


async def test_an_id_means_the_same_reservation_in_upper_case(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=10)
    reservation_id = new_id()
    first = await stock.reserve(reservation_id, {disc.id: 3})
    assert await stock.reserve(reservation_id.upper(), {disc.id.upper(): 3}) == first
    assert await stock.left(disc.id) == 7


async def test_the_last_copies_can_be_taken_and_no_more(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=5)
    assert (await stock.reserve(new_id(), {disc.id: 5})).lines[0].stock_left == 0
    refusal = await refusal_of(stock.reserve(new_id(), {disc.id: 1}))
    assert refusal.says(FAILED_PRECONDITION, "OUT_OF_STOCK", disc_id=disc.id, asked="1", left="0")


async def test_a_refusal_tells_what_was_asked_and_left_and_takes_nothing(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=2)
    refusal = await refusal_of(stock.reserve(new_id(), {disc.id: 3}))
    assert refusal.says(FAILED_PRECONDITION, "OUT_OF_STOCK", disc_id=disc.id, asked="3", left="2")
    balance = await stock.balance(disc.id)
    assert (balance.left, balance.held) == (2, 0)


async def test_a_refusal_stays_the_same_after_a_restock(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=2)
    reservation_id = new_id()
    refusal = await refusal_of(stock.reserve(reservation_id, {disc.id: 3}))
    await stock.adjust(disc.id, 100)
    assert await refusal_of(stock.reserve(reservation_id, {disc.id: 3})) == refusal
    assert await stock.left(disc.id) == 102
    assert (await stock.reserve(new_id(), {disc.id: 3})).state == RESERVED


async def test_a_replay_answers_what_is_recorded_whatever_the_disc_is_now(
    stock: StockRoom, catalog_stub: Any, make_disc: Any
) -> None:
    disc = await make_disc(name="Kind of Blue", price_cents=1_000, stock=10)
    reservation_id = new_id()
    first = await stock.reserve(reservation_id, {disc.id: 2})
    edited = catalog_pb2.Disc(id=disc.id, name="Kind of Red", price_cents=9_999)
    await catalog_stub.UpdateDisc(catalog_pb2.UpdateDiscRequest(disc=edited), timeout=CALL_TIMEOUT_S)
    assert await stock.reserve(reservation_id, {disc.id: 2}) == first
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
    assert await stock.reserve(reservation_id, {disc.id: 2}) == first
    assert (first.lines[0].name, first.lines[0].price_cents) == ("Kind of Blue", 1_000)
    assert await stock.left(disc.id) == 8


async def test_several_discs_are_taken_together_in_the_order_of_their_ids(stock: StockRoom, make_disc: Any) -> None:
    ids = sorted([(await make_disc(stock=10)).id for _ in range(4)])
    reservation = await stock.reserve(new_id(), [(disc_id, 2) for disc_id in reversed(ids)])
    assert [(line.disc_id, line.stock_left) for line in reservation.lines] == [(disc_id, 8) for disc_id in ids]


async def test_if_one_disc_is_short_no_disc_is_touched(stock: StockRoom, make_disc: Any) -> None:
    stocks = {(await make_disc(stock=count)).id: count for count in (9, 1, 7)}
    refusal = await refusal_of(stock.reserve(new_id(), dict.fromkeys(stocks, 2)))
    ids = sorted(stocks)
    left = ",".join(str(stocks[disc_id]) for disc_id in ids)
    assert refusal.says(FAILED_PRECONDITION, "OUT_OF_STOCK", disc_id=",".join(ids), asked="2,2,2", left=left)
    for disc_id, count in stocks.items():
        assert await stock.left(disc_id) == count


async def test_lines_of_one_disc_are_added_up_and_mean_the_same_as_one_line(stock: StockRoom, make_disc: Any) -> None:
    one, other = [(await make_disc(stock=10)).id for _ in range(2)]
    reservation_id = new_id()
    first = await stock.reserve(reservation_id, [(one, 2), (other, 1), (one, 3)])
    assert {line.disc_id: line.quantity for line in first.lines} == {one: 5, other: 1}
    assert await stock.reserve(reservation_id, {other: 1, one: 5}) == first
    assert await stock.left(one) == 5


async def test_fifty_discs_fit_in_one_reservation(stock: StockRoom, make_disc: Any) -> None:
    ids = [(await make_disc(stock=3)).id for _ in range(50)]
    reservation = await stock.reserve(new_id(), dict.fromkeys(ids, 3))
    assert [line.disc_id for line in reservation.lines] == sorted(ids)
    assert {line.stock_left for line in reservation.lines} == {0}


async def test_an_unknown_disc_is_refused_and_stays_refused_when_it_comes(stock: StockRoom, make_disc: Any) -> None:
    unknown, known = new_id(), (await make_disc(stock=5)).id
    reservation_id = new_id()
    lines = {unknown: 1, known: 1}
    refusal = await refusal_of(stock.reserve(reservation_id, lines))
    assert refusal.says(grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND", disc_id=unknown)
    await make_disc(disc_id=unknown, stock=5)
    assert await refusal_of(stock.reserve(reservation_id, lines)) == refusal
    assert await stock.left(known) == 5
    assert await stock.left(unknown) == 5


async def test_a_deleted_disc_is_refused_and_nothing_else_is_taken(
    stock: StockRoom, catalog_stub: Any, make_disc: Any
) -> None:
    deleted, sold = [(await make_disc(stock=5)).id for _ in range(2)]
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=deleted), timeout=CALL_TIMEOUT_S)
    reservation_id = new_id()
    refusal = await refusal_of(stock.reserve(reservation_id, {deleted: 1, sold: 1}))
    assert refusal.says(FAILED_PRECONDITION, "DISC_DELETED", disc_id=deleted)
    assert await refusal_of(stock.reserve(reservation_id, {deleted: 1, sold: 1})) == refusal
    assert [await stock.left(disc_id) for disc_id in (deleted, sold)] == [5, 5]


@pytest.mark.parametrize("stock_of_first", [10, 0], ids=["after it was reserved", "after it was refused"])
async def test_an_id_used_with_other_lines_is_refused_and_takes_nothing(
    stock: StockRoom, make_disc: Any, stock_of_first: int
) -> None:
    first, second = (await make_disc(stock=stock_of_first)).id, (await make_disc(stock=10)).id
    reservation_id = new_id()
    first_try = stock.reserve(reservation_id, {first: 2})
    await (first_try if stock_of_first else refusal_of(first_try))
    left = await stock.left(first)
    for other_lines in ({first: 1}, {first: 3}, {first: 2, second: 1}):
        refusal = await refusal_of(stock.reserve(reservation_id, other_lines))
        assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert [await stock.left(first), await stock.left(second)] == [left, 10]


async def test_an_id_of_two_discs_is_refused_for_one_of_them(stock: StockRoom, make_disc: Any) -> None:
    ids = [(await make_disc(stock=10)).id for _ in range(2)]
    reservation_id = new_id()
    await stock.reserve(reservation_id, dict.fromkeys(ids, 2))
    for disc_id in ids:
        refusal = await refusal_of(stock.reserve(reservation_id, {disc_id: 2}))
        assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        assert await stock.left(disc_id) == 8


async def test_a_recorded_refusal_names_the_lines_at_fault(stock: StockRoom, make_disc: Any) -> None:
    unknown, short, enough = new_id(), (await make_disc(stock=1)).id, (await make_disc(stock=9)).id
    reservation_id = new_id()
    await refusal_of(stock.reserve(reservation_id, dict.fromkeys((unknown, short, enough), 2)))
    recorded = await stock.reservation(reservation_id, unknown, short, enough)
    assert recorded.state == DENIED
    assert [line.disc_id for line in recorded.lines] == sorted((unknown, short, enough))
    lines = {line.disc_id: line for line in recorded.lines}
    assert {disc_id: line.reason for disc_id, line in lines.items()} == {
        unknown: "DISC_NOT_FOUND",
        short: "OUT_OF_STOCK",
        enough: "",
    }
    assert (lines[unknown].name, lines[unknown].artist) == ("", "")
    assert not lines[unknown].HasField("stock_left")
    assert (lines[short].stock_left, lines[enough].stock_left) == (1, 9)
