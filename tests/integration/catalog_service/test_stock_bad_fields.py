"""StockService names every bad field of a request at once, and does nothing then."""

from typing import Any

import pytest

from tests.integration.refusals import bad_fields_of
from tests.integration.stock_room import StockRoom, new_id

DELTA_MAX = 1_000_000_000
NOT_UUIDS = [
    "",
    "x",
    "0e92cf1e-7bc4-4f9e-8eb6-3c88627efec",
    "{0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb}",
    "\0",
    "\u0661" * 36,
]


async def test_reserve_names_all_bad_fields_at_once(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=5)
    assert await bad_fields_of(stock.reserve("x", [("", 1), (disc.id, 0), (disc.id, 1)])) == {
        "reservation_id",
        "lines[0].disc_id",
        "lines[1].quantity",
    }
    assert await stock.left(disc.id) == 5


@pytest.mark.parametrize("not_uuid", NOT_UUIDS)
async def test_every_id_must_be_a_uuid(stock: StockRoom, not_uuid: str) -> None:
    assert await bad_fields_of(stock.reserve(not_uuid, {not_uuid: 1})) == {"reservation_id", "lines[0].disc_id"}
    assert await bad_fields_of(stock.release(not_uuid, not_uuid)) == {"reservation_id", "disc_ids[0]"}
    assert await bad_fields_of(stock.reservation(not_uuid, not_uuid)) == {"reservation_id", "disc_ids[0]"}
    assert await bad_fields_of(stock.adjust(not_uuid, 1)) == {"disc_id"}
    if not_uuid:
        assert await bad_fields_of(stock.entries(disc_id=not_uuid)) == {"disc_id"}
        assert await bad_fields_of(stock.movements(disc_id=not_uuid)) == {"disc_id"}
    assert await bad_fields_of(stock.balances(disc_ids=[new_id(), not_uuid])) == {"disc_ids[1]"}


@pytest.mark.parametrize("quantity", [0, -1, -(2**31), 1_001, 2**31 - 1])
async def test_a_quantity_is_from_1_to_1000(stock: StockRoom, make_disc: Any, quantity: int) -> None:
    disc = await make_disc(stock=5_000)
    assert await bad_fields_of(stock.reserve(new_id(), {disc.id: quantity})) == {"lines[0].quantity"}
    assert await stock.left(disc.id) == 5_000


async def test_a_quantity_is_at_most_1000_after_lines_are_added_up(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=5_000)
    assert await bad_fields_of(stock.reserve(new_id(), [(disc.id, 600), (disc.id, 401)]))
    assert await stock.left(disc.id) == 5_000
    await stock.reserve(new_id(), [(disc.id, 600), (disc.id.upper(), 400)])
    assert await stock.left(disc.id) == 4_000


async def test_a_reservation_has_1_to_50_lines(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=100)
    assert await bad_fields_of(stock.reserve(new_id(), {})) == {"lines"}
    assert await bad_fields_of(stock.reserve(new_id(), [(new_id(), 1) for _ in range(51)])) == {"lines"}
    assert await bad_fields_of(stock.reserve(new_id(), [(disc.id, 1)] * 51)) == {"lines"}
    await stock.reserve(new_id(), [(disc.id, 1)] * 50)
    assert await stock.left(disc.id) == 50


async def test_a_release_names_1_to_50_discs_each_once(stock: StockRoom) -> None:
    disc_id = new_id()
    assert await bad_fields_of(stock.release(new_id())) == {"disc_ids"}
    assert await bad_fields_of(stock.release(new_id(), *(new_id() for _ in range(51)))) == {"disc_ids"}
    assert await bad_fields_of(stock.release(new_id(), disc_id, new_id(), disc_id.upper()))
    assert len((await stock.release(new_id(), *(new_id() for _ in range(50)))).lines) == 50


async def test_a_reservation_is_read_by_1_to_50_discs(stock: StockRoom) -> None:
    assert await bad_fields_of(stock.reservation(new_id())) == {"disc_ids"}
    assert await bad_fields_of(stock.reservation(new_id(), *(new_id() for _ in range(51)))) == {"disc_ids"}


async def test_an_adjustment_names_all_bad_fields_at_once(stock: StockRoom) -> None:
    bad = stock.adjust("x", 0, movement_id="a b", reason=" ")
    assert await bad_fields_of(bad) == {"disc_id", "movement_id", "delta", "reason"}


@pytest.mark.parametrize("delta", [0, DELTA_MAX + 1, -DELTA_MAX - 1, 2**63 - 1, -(2**63)])
async def test_a_delta_is_not_0_and_within_its_bounds(stock: StockRoom, make_disc: Any, delta: int) -> None:
    disc = await make_disc(stock=5)
    assert await bad_fields_of(stock.adjust(disc.id, delta)) == {"delta"}
    assert await stock.left(disc.id) == 5


@pytest.mark.parametrize("movement_id", ["", "a" * 65, "a b", "ä", "a/b", "a\0", "a\n"])
async def test_a_movement_id_is_1_to_64_plain_characters(stock: StockRoom, movement_id: str) -> None:
    assert await bad_fields_of(stock.adjust(new_id(), 1, movement_id=movement_id)) == {"movement_id"}


@pytest.mark.parametrize("reason", ["", " \t\n", "r" * 201, "a\0b"])
async def test_a_reason_is_1_to_200_characters_not_blank_without_nul(stock: StockRoom, reason: str) -> None:
    assert await bad_fields_of(stock.adjust(new_id(), 1, reason=reason)) == {"reason"}


async def test_the_longest_movement_id_and_reason_are_taken_as_they_are(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=0)
    movement = await stock.adjust(disc.id, DELTA_MAX, movement_id="aZ9._:-x" * 8, reason="ß" * 200)
    assert (movement.movement_id, movement.reason, movement.stock_left) == ("aZ9._:-x" * 8, "ß" * 200, DELTA_MAX)


async def test_lists_name_all_bad_fields_at_once(stock: StockRoom) -> None:
    assert await bad_fields_of(stock.entries(disc_id="x", state=99, page_size=-1, page_token="x")) == {
        "disc_id",
        "state",
        "page_size",
        "page_token",
    }
    assert await bad_fields_of(stock.movements(disc_id="x", page_size=-1, page_token="x")) == {
        "disc_id",
        "page_size",
        "page_token",
    }
    assert await bad_fields_of(stock.balances(disc_ids=["x"], page_size=-1, page_token="x")) == {
        "disc_ids[0]",
        "page_size",
        "page_token",
    }


async def test_balances_are_asked_for_100_discs_at_most(stock: StockRoom) -> None:
    assert list((await stock.balances(disc_ids=[new_id() for _ in range(100)])).balances) == []
    assert await bad_fields_of(stock.balances(disc_ids=[new_id() for _ in range(101)])) == {"disc_ids"}
