"""BatchReserveStock: many reservations in one call, each decided on its own, those of one disc in their order."""

import random
from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import stock_pb2
from tests.integration.refusals import bad_fields_of
from tests.integration.stock_room import DENIED, RESERVED, StockRoom, new_id

ROUNDS = 25
GROUP_MAX = 60


def outcome(result: stock_pb2.ReserveStockResult) -> str:
    return "HELD" if result.HasField("held") else result.error.reason


async def test_those_of_one_disc_are_served_in_their_order_and_who_asks_for_too_much_holds_up_nobody(
    stock: StockRoom, make_disc: Any
) -> None:
    disc = (await make_disc(stock=5, price_cents=700)).id
    asked = [(new_id(), {disc: quantity}) for quantity in (2, 4, 3, 1)]
    results = await stock.reserve_all(*asked)
    assert [outcome(result) for result in results] == ["HELD", "OUT_OF_STOCK", "HELD", "OUT_OF_STOCK"]
    [line] = results[2].held.lines
    assert (line.price_cents, line.stock_left) == (700, 0)
    assert results[1].error.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert results[1].error.metadata == {
        "reservation_id": asked[1][0], "disc_id": disc, "asked": "4", "left": "3"
    }  # fmt: skip
    states = [(await stock.reservation(reservation_id, disc)).state for reservation_id, _ in asked]
    assert states == [RESERVED, DENIED, RESERVED, DENIED]
    assert await stock.left(disc) == 0


async def test_batches_are_decided_as_if_one_after_the_other(stock: StockRoom, make_disc: Any) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        left = {(await make_disc(stock=stock_left)).id: stock_left for stock_left in (0, 7, 40)}
        unknown = new_id()
        asked = [
            (new_id(), {chance.choice([*left, unknown]): chance.randint(1, 6)})
            for _ in range(chance.randint(1, GROUP_MAX))
        ]
        results = await stock.reserve_all(*asked)
        for (_, lines), result in zip(asked, results, strict=True):
            [(disc, quantity)] = lines.items()
            if disc == unknown:
                expected = "DISC_NOT_FOUND"
            elif left[disc] < quantity:
                expected = "OUT_OF_STOCK"
            else:
                expected = "HELD"
                left[disc] -= quantity
                assert result.held.lines[0].stock_left == left[disc], seed
            assert outcome(result) == expected, seed
        assert {disc: await stock.left(disc) for disc in left} == left, seed


async def test_reservations_of_several_discs_stand_beside_those_of_one(stock: StockRoom, make_disc: Any) -> None:
    one, other = [(await make_disc(stock=3)).id for _ in range(2)]
    results = await stock.reserve_all(
        (new_id(), {one: 1}), (new_id(), {one: 1, other: 4}), (new_id(), {other: 1, one: 1})
    )
    assert [outcome(result) for result in results] == ["HELD", "OUT_OF_STOCK", "HELD"]
    assert len(results[2].held.lines) == 2
    assert (await stock.left(one), await stock.left(other)) == (1, 2)


async def test_a_batch_that_is_repeated_takes_nothing_again(stock: StockRoom, make_disc: Any) -> None:
    disc = (await make_disc(stock=5)).id
    asked = [(new_id(), {disc: 2}) for _ in range(3)]
    first = await stock.reserve_all(*asked)
    await stock.adjust(disc, 100)
    again = await stock.reserve_all(*asked, (new_id(), {disc: 1}))
    assert again[:3] == first
    assert outcome(again[3]) == "HELD"
    assert await stock.left(disc) == 1 + 100 - 1


async def test_an_id_that_stands_twice_is_decided_by_what_is_recorded_or_comes_first(
    stock: StockRoom, make_disc: Any
) -> None:
    disc, other = (await make_disc(stock=9)).id, (await make_disc(stock=9)).id
    twice, known = new_id(), new_id()
    await stock.reserve(known, {disc: 1})
    results = await stock.reserve_all(
        (twice, {disc: 2}),
        (twice, {disc: 2}),
        (twice, {other: 2}),
        (known, {disc: 5}),
        (known, {disc: 1}),
    )
    assert [outcome(result) for result in results] == ["HELD", "HELD", "REQUEST_ID_REUSED", "REQUEST_ID_REUSED", "HELD"]
    assert (await stock.left(disc), await stock.left(other)) == (6, 9)


async def test_a_bad_entry_is_answered_alone_and_a_batch_has_a_thousand_entries_at_most(
    stock: StockRoom, make_disc: Any
) -> None:
    disc = (await make_disc(stock=5)).id
    results = await stock.reserve_all((new_id(), {disc: 0, "7": 1}), (new_id(), {disc: 1}))
    assert [outcome(result) for result in results] == ["INVALID_ARGUMENT", "HELD"]
    assert "lines[0].quantity" in results[0].error.message
    assert "lines[1].disc_id" in results[0].error.message
    for size in (0, 1_001):
        assert await bad_fields_of(stock.reserve_all(*[(new_id(), {disc: 1})] * size)) == {"requests"}


@pytest.mark.parametrize("state", ["released", "never seen"])
async def test_a_released_id_takes_nothing_in_a_batch(stock: StockRoom, make_disc: Any, state: str) -> None:
    disc, reservation_id = (await make_disc(stock=5)).id, new_id()
    if state == "released":
        await stock.reserve(reservation_id, {disc: 1})
    await stock.release(reservation_id, disc)
    results = await stock.reserve_all((reservation_id, {disc: 1}), (new_id(), {disc: 1}))
    assert [outcome(result) for result in results] == ["RESERVATION_RELEASED", "HELD"]
    assert await stock.left(disc) == 4
