"""ReleaseStock and GetReservation: copies come back exactly once, and a released id takes none any more."""

from typing import Any

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from tests.integration.refusals import refusal_of
from tests.integration.stock_room import CALL_TIMEOUT_S, DENIED, RELEASED, RESERVED, StockRoom, new_id

DISCS_DIFFER = (grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_DISCS_DIFFER")
RELEASED_BEFORE = (grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_RELEASED")


@pytest.fixture
async def two_discs(make_disc: Any) -> list[str]:
    """Two discs with 10 copies each, in the order of their ids."""
    return sorted([(await make_disc(stock=10)).id for _ in range(2)])


async def test_a_release_gives_all_copies_back(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    reserved = await stock.reserve(reservation_id, dict.fromkeys(two_discs, 4))
    released = await stock.release(reservation_id, *two_discs)
    assert released.state == RELEASED
    assert [(line.disc_id, line.quantity) for line in released.lines] == [(disc_id, 4) for disc_id in two_discs]
    assert released.create_time == reserved.create_time
    assert released.update_time.ToDatetime() > reserved.update_time.ToDatetime()
    for disc_id in two_discs:
        balance = await stock.balance(disc_id)
        assert (balance.left, balance.held) == (10, 0)


async def test_a_release_again_gives_nothing_back_and_answers_the_same(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    await stock.reserve(reservation_id, dict.fromkeys(two_discs, 4))
    first = await stock.release(reservation_id, *two_discs)
    assert await stock.release(reservation_id, *reversed(two_discs)) == first
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 10]


async def test_a_released_reservation_takes_nothing_again(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    lines = dict.fromkeys(two_discs, 4)
    await stock.reserve(reservation_id, lines)
    await stock.release(reservation_id, *two_discs)
    refusal = await refusal_of(stock.reserve(reservation_id, lines))
    assert refusal.says(*RELEASED_BEFORE)
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 10]


async def test_a_reserve_that_arrives_after_its_release_takes_nothing(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    tombstone = await stock.release(reservation_id, *two_discs)
    assert tombstone.state == RELEASED
    assert [(line.disc_id, line.quantity) for line in tombstone.lines] == [(disc_id, 0) for disc_id in two_discs]
    assert await stock.release(reservation_id, *two_discs) == tombstone
    refusal = await refusal_of(stock.reserve(reservation_id, dict.fromkeys(two_discs, 4)))
    assert refusal.says(*RELEASED_BEFORE)
    assert await stock.reservation(reservation_id, *two_discs) == tombstone
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 10]


async def test_a_late_reserve_that_shares_one_disc_with_a_tombstone_takes_nothing(
    stock: StockRoom, two_discs: list[str]
) -> None:
    reservation_id = new_id()
    await stock.release(reservation_id, two_discs[0])
    refusal = await refusal_of(stock.reserve(reservation_id, dict.fromkeys(two_discs, 4)))
    assert refusal.reason in {"RESERVATION_RELEASED", "REQUEST_ID_REUSED"}
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 10]


async def test_a_refused_reservation_stays_refused_after_a_release(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=1)
    reservation_id = new_id()
    refusal = await refusal_of(stock.reserve(reservation_id, {disc.id: 2}))
    assert (await stock.release(reservation_id, disc.id)).state == DENIED
    assert await refusal_of(stock.reserve(reservation_id, {disc.id: 2})) == refusal
    assert await stock.left(disc.id) == 1


async def test_a_release_of_fewer_or_more_discs_is_refused_and_changes_nothing(
    stock: StockRoom, two_discs: list[str], make_disc: Any
) -> None:
    foreign = (await make_disc(stock=10)).id
    reservation_id = new_id()
    reserved = await stock.reserve(reservation_id, dict.fromkeys(two_discs, 4))
    for named in ([two_discs[0]], [two_discs[1]], [*two_discs, foreign], [two_discs[0], foreign]):
        assert (await refusal_of(stock.release(reservation_id, *named))).says(*DISCS_DIFFER)
    assert await stock.reservation(reservation_id, *two_discs) == reserved
    assert (await refusal_of(stock.reservation(reservation_id, foreign))).reason == "RESERVATION_NOT_FOUND"
    assert [await stock.left(disc_id) for disc_id in (*two_discs, foreign)] == [6, 6, 10]
    assert (await stock.release(reservation_id, *two_discs)).state == RELEASED


async def test_a_tombstone_is_refused_for_fewer_or_more_discs(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    await stock.release(reservation_id, *two_discs)
    for named in ([two_discs[0]], [*two_discs, new_id()]):
        assert (await refusal_of(stock.release(reservation_id, *named))).says(*DISCS_DIFFER)


async def test_copies_of_a_deleted_disc_come_back(stock: StockRoom, catalog_stub: Any, make_disc: Any) -> None:
    disc = await make_disc(stock=5)
    reservation_id = new_id()
    await stock.reserve(reservation_id, {disc.id: 5})
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
    assert (await stock.release(reservation_id, disc.id)).state == RELEASED
    assert await stock.left(disc.id) == 5


async def test_get_answers_what_was_decided(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    reserved = await stock.reserve(reservation_id, dict.fromkeys(two_discs, 4))
    assert await stock.reservation(reservation_id, *two_discs) == reserved
    assert reserved.state == RESERVED
    released = await stock.release(reservation_id, *two_discs)
    assert await stock.reservation(reservation_id, *two_discs) == released


async def test_get_of_an_id_that_was_never_seen_is_not_found(stock: StockRoom, two_discs: list[str]) -> None:
    reservation_id = new_id()
    await stock.reserve(new_id(), dict.fromkeys(two_discs, 1))
    never_seen = await refusal_of(stock.reservation(reservation_id, *two_discs))
    assert never_seen.says(grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND")
