"""DenySoldOut beside those who buy, deliver and release: it waits for nobody, sees what was answered, and decides no id a second time."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import grpc

from catalog_service.stock.denials import DENY
from service_runtime.quantities import Lines
from tests.faults.waiting import eventually
from tests.integration.refusals import read_refusal, refusal_of
from tests.integration.stock_room import DENIED, RELEASED, RESERVED, StockRoom, new_id

ROUNDS = 12
IDS = 40
COPIES = 10
SHARE = 10
WHO_WAITS_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
TOMBSTONE = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count) VALUES ($1, $2, 'RELEASED', 0, 1)
"""


async def test_it_answers_while_somebody_holds_the_disc(stock: StockRoom, make_disc: Any, catalog_admin: Any) -> None:
    disc, denied, possible = (await make_disc(stock=1)).id, new_id(), new_id()
    async with catalog_admin.transaction():
        await catalog_admin.execute("SELECT FROM discs WHERE id = $1 FOR UPDATE", UUID(disc))
        await catalog_admin.execute("UPDATE discs SET stock = stock + 9 WHERE id = $1", UUID(disc))
        # Copies whose delivery is not committed are not there yet.
        assert await stock.deny((denied, {disc: 2}), (possible, {disc: 1})) == [1, None]
        assert (await stock.reservation(denied, disc)).state == DENIED
        await catalog_admin.execute("UPDATE discs SET stock = stock - 9 WHERE id = $1", UUID(disc))
    assert (await stock.reserve(possible, {disc: 1})).state == RESERVED


async def test_a_delivery_that_was_answered_is_seen(stock: StockRoom, make_disc: Any) -> None:
    disc = (await make_disc(stock=0)).id
    for left in range(1, 30):
        await stock.adjust(disc, 1)
        assert await stock.deny((new_id(), {disc: left}), (new_id(), {disc: left + 1})) == [None, left]


async def test_a_reserve_that_meets_a_denial_on_its_way_takes_nothing(
    stock: StockRoom, make_disc: Any, catalog_admin: Any
) -> None:
    disc, reservation_id = (await make_disc(stock=1)).id, new_id()
    lines = Lines((UUID(disc),), (2,))
    async with catalog_admin.transaction():
        await catalog_admin.fetch(DENY, lines.ids, [UUID(reservation_id)], lines.quantities, [lines.fingerprint()])
        await stock.adjust(disc, 10)
        # There would be enough now, and the reserve does not see the denial until it writes.
        reserving = asyncio.ensure_future(refusal_of(stock.reserve(reservation_id, {disc: 2})))
        await eventually(lambda: catalog_admin.fetchval(WHO_WAITS_FOR_ME), lambda waiting: waiting == 1)
    assert (await reserving).says(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", asked="2", left="1")
    balance = await stock.balance(disc)
    assert (balance.left, balance.held) == (11, 0)


async def test_a_denial_that_meets_a_decision_on_its_way_leaves_it_as_it_is(
    stock: StockRoom, make_disc: Any, catalog_admin: Any
) -> None:
    disc, decided, other = (await make_disc(stock=1)).id, new_id(), new_id()
    async with catalog_admin.transaction():
        await catalog_admin.execute(TOMBSTONE, UUID(disc), UUID(decided))
        denying = asyncio.ensure_future(stock.deny((decided, {disc: 2}), (other, {disc: 2})))
        await eventually(lambda: catalog_admin.fetchval(WHO_WAITS_FOR_ME), lambda waiting: waiting == 1)
    assert await denying == [None, 1]
    states = [(await stock.reservation(reservation_id, disc)).state for reservation_id in (decided, other)]
    assert states == [RELEASED, DENIED]


async def test_ids_that_are_denied_and_reserved_at_once_are_decided_once(stock: StockRoom, make_disc: Any) -> None:
    ways: Counter[str] = Counter()
    for turn in range(ROUNDS):
        copies = COPIES * (turn % 2)
        disc, ids = (await make_disc(stock=copies)).id, [new_id() for _ in range(IDS)]
        # In every other pair of rounds the denials come first.
        order = (deny_often, reserve_each) if turn & 2 else (reserve_each, deny_often)
        tasks = {call: asyncio.ensure_future(call(stock, ids, disc)) for call in order}
        second = await reserve_each(stock, ids, disc)
        first, denied = await tasks[reserve_each], await tasks[deny_often]
        states = [(await stock.reservation(reservation_id, disc)).state for reservation_id in ids]
        assert [first, second] == [states, states], "whoever reserves hears the one decision"
        assert len(set(denied)) == len(denied), "an id was denied twice"
        assert {states[ids.index(one)] for one in denied} <= {DENIED}
        balance = await stock.balance(disc)
        assert (states.count(RESERVED), balance.left, balance.held) == (copies, 0, copies)
        ways += Counter(glance=len(denied), reserve=states.count(DENIED) - len(denied))
    assert set(ways) == {"glance", "reserve"}, "one of the two was always first"


async def reserve_each(stock: StockRoom, ids: Sequence[str], disc_id: str) -> list[Any]:
    """Reserve one copy for each of these, and return what was decided."""

    async def state_of(reservation_id: str) -> Any:
        (answer,) = await asyncio.gather(stock.reserve(reservation_id, {disc_id: 1}), return_exceptions=True)
        if not isinstance(answer, grpc.aio.AioRpcError):
            return answer.state
        assert read_refusal(answer).says(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", asked="1", left="0")
        return DENIED

    return await asyncio.gather(*map(state_of, ids))


async def deny_often(stock: StockRoom, ids: Sequence[str], disc_id: str) -> list[str]:
    """Have one copy denied to each of these in calls that overlap, and return who was, as often as it was said."""
    shares = [ids[start : start + SHARE] for start in range(0, IDS, SHARE)]
    answers = await asyncio.gather(*(denied_of(stock, share, disc_id) for share in (*shares, ids[::-1], ids)))
    return [reservation_id for denied in answers for reservation_id in denied]


async def denied_of(stock: StockRoom, ids: Sequence[str], disc_id: str) -> list[str]:
    """Have one copy denied to each of these, and return who was; nothing was left then."""
    stock_left = await stock.deny(*((one, {disc_id: 1}) for one in ids))
    assert set(stock_left) <= {None, 0}
    return [one for one, left in zip(ids, stock_left, strict=True) if left is not None]


async def test_ids_that_are_denied_and_released_at_once_end_as_one_of_both(stock: StockRoom, make_disc: Any) -> None:
    disc = (await make_disc(stock=0)).id
    ids = [new_id() for _ in range(IDS)]
    denied, *released = await asyncio.gather(
        denied_of(stock, ids, disc), *(stock.release(reservation_id, disc) for reservation_id in ids)
    )
    states = [(await stock.reservation(reservation_id, disc)).state for reservation_id in ids]
    assert [answer.state for answer in released] == states
    assert [DENIED if reservation_id in denied else RELEASED for reservation_id in ids] == states
    assert await stock.left(disc) == 0
