"""What every strategy of deciding reservations holds: whatever races, nothing is oversold, refused falsely, decided twice or forgotten."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from uuid import UUID

import grpc
import pytest

from catalog_service.settings import StrategyName
from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from tests.faults.waiting import eventually
from tests.integration.catalog_service.strategy_room import LOCK, Answer, Room, what_was_said
from tests.integration.refusals import Refusal, refusal_of
from tests.integration.stock_room import CALL_TIMEOUT_S, DENIED, RELEASED, RESERVED, new_id, reserve_request

CLIENTS = 60
LOCK_IF_FREE = "SELECT FROM discs WHERE id = $1 FOR UPDATE NOWAIT"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
TOMBSTONE = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count)
SELECT disc_id, $2, 'RELEASED', 0, cardinality($1::uuid[]) FROM unnest($1::uuid[]) AS disc_id
"""


async def together(calls: Iterable[Awaitable[Answer]]) -> tuple[list[stock_pb2.Reservation], list[Refusal]]:
    """Run calls at once; return the reservations, and the refusals, all of which are for want of copies."""
    answers = await asyncio.gather(*calls)
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert {refusal.reason for refusal in refused} <= {"OUT_OF_STOCK"}
    return [answer for answer in answers if not isinstance(answer, Refusal)], refused


async def test_the_stock_is_sold_to_the_last_copy_and_no_further(room: Room) -> None:
    disc = await room.disc(40)
    taken, refused = await together(room.answer(new_id(), {disc: 1}) for _ in range(CLIENTS))
    assert (len(taken), len(refused)) == (40, CLIENTS - 40)
    assert sorted(reservation.lines[0].stock_left for reservation in taken) == list(range(40))
    assert all(refusal.metadata["asked"] == "1" for refusal in refused)
    assert {refusal.metadata["left"] for refusal in refused} == {"0"}
    balance = await room.stock.balance(disc)
    assert (balance.left, balance.held) == (0, 40)
    assert await room.counts(disc) == 40 or room.strategy is StrategyName.GROUPED


async def test_nobody_is_refused_while_there_are_copies_for_all(room: Room) -> None:
    disc = await room.disc(CLIENTS)
    taken, refused = await together(room.answer(new_id(), {disc: 1}) for _ in range(CLIENTS))
    assert (len(taken), refused) == (CLIENTS, [])
    assert await room.stock.left(disc) == 0


async def test_who_asks_for_several_is_refused_only_if_fewer_are_left(room: Room) -> None:
    disc = await room.disc(70)
    taken, refused = await together(room.answer(new_id(), {disc: 1 + n % 4}) for n in range(CLIENTS))
    left = await room.stock.left(disc)
    assert sum(reservation.lines[0].quantity for reservation in taken) + left == 70
    assert refused
    # Stock only falls here, so that what is left at the end was there for everybody.
    assert all(left <= int(refusal.metadata["left"]) < int(refusal.metadata["asked"]) for refusal in refused)


@pytest.mark.parametrize("disc_count", [1, 2])
async def test_equal_reservations_at_once_are_one_decision(room: Room, disc_count: int) -> None:
    discs = [await room.disc(8) for _ in range(disc_count)]
    ids = [new_id() for _ in range(12)]
    taken, refused = await together(room.answer(one, dict.fromkeys(discs, 1)) for one in ids * 5)
    assert (len(taken), len(refused)) == (40, 20)
    assert set(Counter(reservation.reservation_id for reservation in taken).values()) == {5}
    assert len({reservation.SerializeToString(deterministic=True) for reservation in taken}) == 8
    assert [await room.stock.left(disc) for disc in discs] == [0] * disc_count


async def test_an_id_keeps_its_decision_its_figures_and_its_lines(room: Room) -> None:
    disc, other = await room.disc(5), await room.disc(5)
    held, refused, both = new_id(), new_id(), new_id()
    first = await room.stock.reserve(held, {disc: 3})
    refusal = await refusal_of(room.stock.reserve(refused, {disc: 3}))
    assert refusal.says(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", disc_id=disc, asked="3", left="2")
    short = await refusal_of(room.stock.reserve(both, {disc: 3, other: 1}))
    assert await room.counts(disc) == 1
    assert await room.counts(other) == 0
    await room.stock.adjust(disc, 100)
    assert await room.stock.reserve(held, {disc: 3}) == first
    assert await refusal_of(room.stock.reserve(refused, {disc: 3})) == refusal
    assert await refusal_of(room.stock.reserve(both, {disc: 3, other: 1})) == short
    recorded = await room.stock.reservation(both, disc, other)
    assert recorded.state == DENIED
    assert {line.disc_id: line.reason for line in recorded.lines} == {disc: "OUT_OF_STOCK", other: ""}
    for known, lines in ((held, {disc: 1}), (held, {disc: 3, other: 1}), (refused, {disc: 1})):
        assert (await refusal_of(room.stock.reserve(known, lines))).reason == "REQUEST_ID_REUSED"
    assert (await room.stock.left(disc), await room.stock.left(other)) == (102, 5)


async def test_discs_that_are_not_on_sale_deny_all_lines_for_ever(room: Room) -> None:
    unknown, deleted, sold = new_id(), await room.disc(5), await room.disc(5)
    await room.shop.catalog.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=deleted), timeout=CALL_TIMEOUT_S)
    for disc, reason in ((unknown, "DISC_NOT_FOUND"), (deleted, "DISC_DELETED")):
        for lines in ({disc: 1}, {disc: 1, sold: 1}):
            reservation_id = new_id()
            refusal = await refusal_of(room.stock.reserve(reservation_id, lines))
            assert (refusal.reason, refusal.metadata["disc_id"]) == (reason, disc)
            assert await refusal_of(room.stock.reserve(reservation_id, lines)) == refusal
            assert (await room.stock.reservation(reservation_id, *lines)).state == DENIED
    assert await room.stock.left(sold) == 5


async def test_a_release_that_comes_first_bars_the_id(room: Room) -> None:
    discs = [await room.disc(5) for _ in range(2)]
    for named in (discs[:1], discs):
        reservation_id = new_id()
        await room.stock.release(reservation_id, *sorted(named))
        refusal = await refusal_of(room.stock.reserve(reservation_id, dict.fromkeys(named, 1)))
        assert refusal.reason == "RESERVATION_RELEASED"
    assert [await room.stock.left(disc) for disc in discs] == [5, 5]


@pytest.mark.parametrize("disc_count", [1, 2])
async def test_a_tombstone_that_comes_while_a_reserve_is_written_undoes_all_of_it(room: Room, disc_count: int) -> None:
    discs, reservation_id = [await room.disc(9) for _ in range(disc_count)], new_id()
    async with room.admin.transaction():
        # A release on its way: the reserve does not see it yet when it looks into the ledger.
        await room.admin.execute(TOMBSTONE, [UUID(disc) for disc in discs], UUID(reservation_id))
        call = asyncio.ensure_future(refusal_of(room.stock.reserve(reservation_id, dict.fromkeys(discs, 2))))
        await room.one_waits()
    assert (await call).reason == "RESERVATION_RELEASED"
    assert [await room.stock.left(disc) for disc in discs] == [9] * disc_count


async def test_a_reserve_that_races_its_release_leaves_the_stock_whole(room: Room) -> None:
    discs = [await room.disc(30) for _ in range(2)]

    async def race(number: int) -> None:
        named = discs[: 1 + number % 2]
        reservation_id, lines = new_id(), dict.fromkeys(named, 1)
        answers = await asyncio.gather(
            room.answer(reservation_id, lines),
            room.stock.release(reservation_id, *sorted(named)),
            room.answer(reservation_id, lines),
        )
        for answer in answers:
            if isinstance(answer, Refusal):
                assert answer.reason == "RESERVATION_RELEASED"
            else:
                assert answer.state in {RESERVED, RELEASED}
        assert (await room.stock.reservation(reservation_id, *named)).state == RELEASED

    await asyncio.gather(*map(race, range(30)))
    for disc in discs:
        balance = await room.stock.balance(disc)
        assert (balance.left, balance.held) == (30, 0)


async def test_copies_that_come_while_many_ask_are_all_sold(room: Room) -> None:
    disc = await room.disc(0)
    sold = 0

    async def sell() -> None:
        nonlocal sold
        for _ in range(4):
            answer = await room.answer(new_id(), {disc: 1})
            sold += not isinstance(answer, Refusal)

    await asyncio.gather(*(sell() for _ in range(10)), *(room.stock.adjust(disc, 2) for _ in range(10)))
    balance = await room.stock.balance(disc)
    assert (balance.held, balance.left) == (sold, 20 - sold)
    taken, _ = await together(room.answer(new_id(), {disc: 1}) for _ in range(balance.left))
    assert len(taken) == balance.left


async def test_discs_asked_for_in_opposite_orders_never_deadlock(room: Room) -> None:
    before = await room.admin.fetchval(DEADLOCKS)
    discs = [await room.disc(30) for _ in range(3)]
    calls = [room.answer(new_id(), dict.fromkeys(discs[:: 1 if n % 2 else -1], 1)) for n in range(CLIENTS)]
    taken, refused = await together(calls)
    assert (len(taken), len(refused)) == (30, CLIENTS - 30)
    assert [await room.stock.left(disc) for disc in discs] == [0] * 3
    assert await room.admin.fetchval(DEADLOCKS) == before


async def test_who_waits_for_a_disc_holds_none_that_comes_after_it(room: Room) -> None:
    first, second = sorted([await room.disc(9), await room.disc(9)])
    reservation_id = new_id()
    async with room.admin.transaction():
        await room.admin.execute(LOCK, UUID(first))
        call = asyncio.ensure_future(room.answer(reservation_id, {second: 1, first: 1}))
        await room.one_waits()
        await room.admin.execute(LOCK_IF_FREE, UUID(second))
    reservation = await call
    assert isinstance(reservation, stock_pb2.Reservation)
    assert reservation.state == RESERVED


@pytest.mark.parametrize("room", [StrategyName.GROUPED], indirect=True, ids=str)
async def test_a_group_that_waits_for_a_disc_holds_none_that_comes_after_it(room: Room) -> None:
    first, second = sorted([await room.disc(9), await room.disc(9)])
    async with room.admin.transaction():
        await room.admin.execute(LOCK, UUID(first))
        call = asyncio.ensure_future(room.stock.reserve_all((new_id(), {second: 1}), (new_id(), {first: 1})))
        await room.one_waits()
        await room.admin.execute(LOCK_IF_FREE, UUID(second))
    assert what_was_said(await call) == [8, 8]


async def test_a_reservation_under_way_ends_without_its_caller(room: Room) -> None:
    disc, reservation_id = await room.disc(9), new_id()
    async with room.admin.transaction():
        await room.admin.execute(LOCK, UUID(disc))
        call = room.shop.stock.ReserveStock(reserve_request(reservation_id, {disc: 2}), timeout=CALL_TIMEOUT_S)
        sent = asyncio.ensure_future(call.code())
        await room.one_waits()
        call.cancel()
        assert await sent is grpc.StatusCode.CANCELLED
    assert await eventually(lambda: room.stock.left(disc), lambda left: left == 7) == 7
    reservation = await room.stock.reserve(reservation_id, {disc: 2})
    assert reservation.lines[0].stock_left == 7
    assert await room.counts(disc) == 1


async def test_a_batch_answers_each_of_its_requests(room: Room) -> None:
    disc, other = await room.disc(5), await room.disc(5)
    asked: Sequence[tuple[str, dict[str, int]]] = [
        (new_id(), lines) for lines in ({disc: 2}, {disc: 9}, {other: 1, disc: 1}, {new_id(): 1})
    ]
    results = await room.stock.reserve_all(*asked, asked[0])
    said = [result.error.reason if result.HasField("error") else "held" for result in results]
    assert said == ["held", "OUT_OF_STOCK", "held", "DISC_NOT_FOUND", "held"]
    assert (await room.stock.left(disc), await room.stock.left(other)) == (2, 4)
