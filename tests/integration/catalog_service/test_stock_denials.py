"""DenySoldOut: what is sold out is refused at a glance, recorded like any refusal, and everything else is left alone."""

from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from tests.integration.refusals import Refusal, bad_fields_of, refusal_of
from tests.integration.stock_room import CALL_TIMEOUT_S, DENIED, RESERVED, Lines, StockRoom, new_id

BATCH_SIZE_MAX = 1_000


async def recorded_ids(stock: StockRoom, disc_id: str) -> list[str]:
    """Return the ids that the ledger knows for a disc."""
    return [entry.reservation_id for entry in (await stock.entries(disc_id=disc_id)).entries]


def out_of_stock(reservation_id: str, disc_id: str, asked: int, left: int) -> Refusal:
    figures = {"reservation_id": reservation_id, "disc_id": disc_id, "asked": str(asked), "left": str(left)}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", figures)


@pytest.mark.parametrize(("left", "quantity"), [(0, 1), (0, 1_000), (2, 3), (999, 1_000)])
async def test_a_request_for_more_than_is_left_is_denied_and_recorded_as_reserve_would_have(
    stock: StockRoom, make_disc: Any, left: int, quantity: int
) -> None:
    disc, denied_id, refused_id = await make_disc(stock=left, price_cents=777), new_id(), new_id()
    assert await stock.deny((denied_id, {disc.id: quantity})) == [left]
    await refusal_of(stock.reserve(refused_id, {disc.id: quantity}))
    denied, refused = [await stock.reservation(one, disc.id) for one in (denied_id, refused_id)]
    (line,) = denied.lines
    assert (denied.reservation_id, denied.state) == (denied_id, DENIED)
    assert (line.disc_id, line.quantity, line.stock_left, line.reason) == (disc.id, quantity, left, "OUT_OF_STOCK")
    assert (line.name, line.artist, line.price_cents) == (disc.name, disc.artist, 777)
    assert denied.update_time == denied.create_time
    assert (denied.state, list(denied.lines)) == (refused.state, list(refused.lines))
    balance = await stock.balance(disc.id)
    assert (balance.left, balance.held) == (left, 0)


@pytest.mark.parametrize("left", [1, 7])
async def test_a_request_for_no_more_than_is_left_is_not_denied_and_can_still_be_sold(
    stock: StockRoom, make_disc: Any, left: int
) -> None:
    disc, reservation_id = await make_disc(stock=left), new_id()
    assert await stock.deny((reservation_id, {disc.id: left})) == [None]
    assert await recorded_ids(stock, disc.id) == []
    assert (await stock.reserve(reservation_id, {disc.id: left})).state == RESERVED
    assert await stock.left(disc.id) == 0


async def test_a_denial_is_answered_for_ever_with_its_own_figures(stock: StockRoom, make_disc: Any) -> None:
    disc, reservation_id = await make_disc(stock=2), new_id()
    assert await stock.deny((reservation_id, {disc.id: 3})) == [2]
    recorded = await stock.reservation(reservation_id, disc.id)
    expected = out_of_stock(reservation_id, disc.id, asked=3, left=2)
    for delivered in (1, 100):
        assert await refusal_of(stock.reserve(reservation_id, {disc.id: 3})) == expected
        assert await refusal_of(stock.reserve(reservation_id, [(disc.id.upper(), 1), (disc.id, 2)])) == expected
        (result,) = await stock.reserve_all((reservation_id, {disc.id: 3}))
        assert (result.error.reason, dict(result.error.metadata)) == (expected.reason, expected.metadata)
        await stock.adjust(disc.id, delivered)
    assert await refusal_of(stock.reserve(reservation_id, {disc.id: 3})) == expected
    assert (await stock.release(reservation_id, disc.id)).state == DENIED
    assert await stock.reservation(reservation_id, disc.id) == recorded
    assert await stock.left(disc.id) == 103


async def test_a_denied_id_stands_for_its_lines(stock: StockRoom, make_disc: Any) -> None:
    disc, other, reservation_id = (await make_disc(stock=1)).id, (await make_disc(stock=9)).id, new_id()
    await stock.deny((reservation_id, {disc: 2}))
    for other_lines in ({disc: 1}, {disc: 3}, {disc: 2, other: 1}):
        refusal = await refusal_of(stock.reserve(reservation_id, other_lines))
        assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert [await stock.left(disc), await stock.left(other)] == [1, 9]


@pytest.mark.parametrize("decided", ["reserved", "refused", "denied", "released", "released before it was reserved"])
async def test_an_id_that_was_decided_before_is_left_as_it_is_and_not_denied(
    stock: StockRoom, make_disc: Any, decided: str
) -> None:
    disc, reservation_id = (await make_disc(stock=3)).id, new_id()
    match decided:
        case "reserved" | "released":
            await stock.reserve(reservation_id, {disc: 2})
        case "refused":
            await refusal_of(stock.reserve(reservation_id, {disc: 4}))
        case "denied":
            assert await stock.deny((reservation_id, {disc: 4})) == [3]
    if decided.startswith("released"):
        await stock.release(reservation_id, disc)
    left = await stock.left(disc)
    await stock.adjust(disc, -left)
    recorded = await stock.reservation(reservation_id, disc)
    for quantity in (1, 2, 4):
        assert await stock.deny((reservation_id, {disc: quantity})) == [None]
    assert await stock.reservation(reservation_id, disc) == recorded
    assert await stock.left(disc) == 0


async def test_a_disc_that_is_not_on_sale_is_not_denied(stock: StockRoom, catalog_stub: Any, make_disc: Any) -> None:
    deleted, unknown, ids = (await make_disc(stock=0)).id, new_id(), [new_id(), new_id()]
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=deleted), timeout=CALL_TIMEOUT_S)
    assert await stock.deny((ids[0], {deleted: 1}), (ids[1], {unknown: 1})) == [None, None]
    assert [await recorded_ids(stock, disc) for disc in (deleted, unknown)] == [[], []]
    assert (await refusal_of(stock.reserve(ids[0], {deleted: 1}))).reason == "DISC_DELETED"
    assert (await refusal_of(stock.reserve(ids[1], {unknown: 1}))).reason == "DISC_NOT_FOUND"


async def test_results_come_in_the_order_of_the_requests_and_each_is_judged_by_itself(
    stock: StockRoom, make_disc: Any
) -> None:
    empty, few, plenty = [(await make_disc(stock=left)).id for left in (0, 3, 9_000)]
    lines: list[Lines] = [
        *({plenty: 5}, {few: 4}, {empty: 1}, {few: 3}, [(few, 2), (few, 2)], {new_id(): 1}, {plenty: 1_000}, {few: 1})
    ]
    asked = [(new_id(), entry) for entry in lines]
    assert await stock.deny(*asked) == [None, 3, 0, None, 3, None, None, None]
    # A second copy of the list would find the first one's denials decided.
    assert await stock.deny(*reversed(asked)) == [None] * len(asked)
    # The three who ask for 3, 2 or 1 of 3 copies are each possible, and a denial takes nothing from anybody.
    assert [await stock.left(disc) for disc in (empty, few, plenty)] == [0, 3, 9_000]


async def test_a_thousand_are_denied_at_once(stock: StockRoom, make_disc: Any) -> None:
    discs = [(await make_disc(stock=left)).id for left in (0, 1)]
    asked = [(new_id(), {discs[number % 2]: 2}) for number in range(BATCH_SIZE_MAX)]
    assert await stock.deny(*asked) == [0, 1] * (BATCH_SIZE_MAX // 2)
    results = await stock.reserve_all(*asked)
    assert {result.error.reason for result in results} == {"OUT_OF_STOCK"}


async def test_whatever_is_wrong_with_one_request_is_named_with_its_place_and_nothing_is_recorded(
    stock: StockRoom, make_disc: Any
) -> None:
    disc, other = [(await make_disc(stock=0)).id for _ in range(2)]
    bad = await bad_fields_of(
        stock.deny(
            (new_id(), {disc: 1}),
            ("x", {disc: 1}),
            (new_id(), {}),
            (new_id(), {disc: 0}),
            (new_id(), [(disc, 1), ("y", 1_001)]),
            (new_id(), {disc: 1, other: 1}),
            (new_id(), [(disc, 600), (disc, 401)]),
        )
    )
    assert bad == {
        *("requests[1].reservation_id", "requests[2].lines", "requests[3].lines[0].quantity"),
        *("requests[4].lines[1].disc_id", "requests[4].lines[1].quantity", "requests[5].lines"),
        "requests[6].lines",
    }
    assert [await recorded_ids(stock, one) for one in (disc, other)] == [[], []]


async def test_an_id_that_stands_twice_and_a_wrong_count_are_bad_and_nothing_is_recorded(
    stock: StockRoom, make_disc: Any
) -> None:
    disc, twice = (await make_disc(stock=0)).id, new_id()
    for again in ((twice, {disc: 1}), (twice.upper(), {disc: 2})):
        assert await bad_fields_of(stock.deny((new_id(), {disc: 1}), (twice, {disc: 1}), again)) == {"requests"}
    too_many = [(new_id(), {disc: 1}) for _ in range(BATCH_SIZE_MAX + 1)]
    for asked in ([], too_many):
        assert await bad_fields_of(stock.deny(*asked)) == {"requests"}
    assert await recorded_ids(stock, disc) == []
