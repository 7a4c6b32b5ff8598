"""AdjustStock: stock moves by a delta, once for each movement id, and never out of its bounds."""

import asyncio
from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import APPLIED, CALL_TIMEOUT_S, REFUSED, StockRoom, new_id

STOCK_MAX = 1_000_000_000


async def test_a_movement_moves_the_stock_and_is_recorded(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=10)
    movement = await stock.adjust(disc.id, -4, movement_id="breakage-1", reason="fell from the shelf")
    assert (movement.disc_id, movement.movement_id, movement.delta) == (disc.id, "breakage-1", -4)
    assert (movement.reason, movement.state, movement.stock_left) == ("fell from the shelf", APPLIED, 6)
    assert movement.create_time.seconds > 0
    balance = await stock.balance(disc.id)
    assert (balance.opening, balance.moved, balance.left) == (10, -4, 6)
    assert list((await stock.movements(disc_id=disc.id)).movements) == [movement]


async def test_a_movement_repeated_after_sales_moves_nothing_and_answers_the_same(
    stock: StockRoom, make_disc: Any
) -> None:
    disc = await make_disc(stock=10)
    first = await stock.adjust(disc.id, 5, movement_id="delivery-1")
    await stock.reserve(new_id(), {disc.id: 2})
    assert await stock.adjust(disc.id, 5, movement_id="delivery-1") == first
    assert await stock.left(disc.id) == 13


@pytest.mark.parametrize(
    ("opening", "delta", "reason"),
    [(3, -4, "STOCK_BELOW_ZERO"), (STOCK_MAX - 3, 4, "STOCK_ABOVE_MAXIMUM")],
)
async def test_a_movement_out_of_bounds_is_refused_once_and_for_ever(
    stock: StockRoom, make_disc: Any, opening: int, delta: int, reason: str
) -> None:
    disc = await make_disc(stock=opening)
    relief = -3 * delta
    refusal = await refusal_of(stock.adjust(disc.id, delta, movement_id="m"))
    assert refusal.says(grpc.StatusCode.FAILED_PRECONDITION, reason, left=str(opening))
    await stock.adjust(disc.id, relief, movement_id="relief")
    assert await refusal_of(stock.adjust(disc.id, delta, movement_id="m")) == refusal
    balance = await stock.balance(disc.id)
    assert (balance.moved, balance.left) == (relief, opening + relief)
    recorded = {movement.movement_id: movement for movement in (await stock.movements(disc_id=disc.id)).movements}
    assert (recorded["m"].state, recorded["m"].delta, recorded["m"].stock_left) == (REFUSED, delta, opening)


async def test_a_movement_may_take_all_that_is_left(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=3)
    assert (await stock.adjust(disc.id, -3)).stock_left == 0


@pytest.mark.parametrize("delta", [2, -9], ids=["after it was applied", "after it was refused"])
async def test_a_movement_id_used_with_another_payload_is_refused(stock: StockRoom, make_disc: Any, delta: int) -> None:
    disc = await make_disc(stock=5)
    first_try = stock.adjust(disc.id, delta, movement_id="m", reason="why")
    await (first_try if delta > 0 else refusal_of(first_try))
    left = await stock.left(disc.id)
    for other in (
        stock.adjust(disc.id, delta + 1, movement_id="m", reason="why"),
        stock.adjust(disc.id, delta, movement_id="m", reason="why not"),
    ):
        refusal = await refusal_of(other)
        assert refusal.says(grpc.StatusCode.ALREADY_EXISTS, "MOVEMENT_ID_REUSED")
    assert await stock.left(disc.id) == left


async def test_a_movement_id_belongs_to_its_disc_and_its_case_counts(stock: StockRoom, make_disc: Any) -> None:
    one, other = [(await make_disc(stock=5)).id for _ in range(2)]
    await stock.adjust(one, 1, movement_id="m")
    await stock.adjust(other, 2, movement_id="m")
    await stock.adjust(other, 3, movement_id="M")
    assert [await stock.left(one), await stock.left(other)] == [6, 10]


async def test_a_movement_of_an_unknown_disc_is_not_recorded(stock: StockRoom, make_disc: Any) -> None:
    disc_id = new_id()
    refusal = await refusal_of(stock.adjust(disc_id, 1, movement_id="m"))
    assert refusal.says(grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND")
    assert list((await stock.movements(disc_id=disc_id)).movements) == []
    await make_disc(disc_id=disc_id, stock=5)
    assert (await stock.adjust(disc_id, 1, movement_id="m")).stock_left == 6


async def test_stock_of_a_deleted_disc_can_be_moved(stock: StockRoom, catalog_stub: Any, make_disc: Any) -> None:
    disc = await make_disc(stock=5)
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
    assert (await stock.adjust(disc.id, -5)).stock_left == 0


async def test_moving_stock_leaves_the_editors_etag_as_it_is(
    stock: StockRoom, catalog_stub: Any, make_disc: Any
) -> None:
    disc = await make_disc(stock=5)
    await stock.adjust(disc.id, 4)
    await stock.reserve(new_id(), {disc.id: 2})
    now = await catalog_stub.GetDisc(catalog_pb2.GetDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
    assert (now.stock, now.etag, now.update_time) == (7, disc.etag, disc.update_time)


async def test_equal_movements_at_once_move_the_stock_once(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=10)
    for delta in (7, -9):
        movement_id = new_id()
        answers = await asyncio.gather(*(stock.adjust(disc.id, delta, movement_id=movement_id) for _ in range(8)))
        assert all(answer == answers[0] for answer in answers)
    assert await stock.left(disc.id) == 8


async def test_losses_and_sales_at_once_never_take_more_than_there_is(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=40)
    losses = [stock.adjust(disc.id, -1) for _ in range(40)]
    sales = [stock.reserve(new_id(), {disc.id: 1}) for _ in range(40)]
    answers = await asyncio.gather(*losses, *sales, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(refused) == 40
    assert {error.code() for error in refused} == {grpc.StatusCode.FAILED_PRECONDITION}
    balance = await stock.balance(disc.id)
    assert (balance.left, balance.held - balance.moved) == (0, 40)
