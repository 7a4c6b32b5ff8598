"""Many at once: every copy is sold once, nobody is refused while there is enough, and the sum is right at any moment."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc

from tests.faults.waiting import eventually
from tests.integration.refusals import read_refusal
from tests.integration.stock_room import DENIED, RELEASED, RESERVED, StockRoom, adds_up, new_id

CLIENTS = 90
WHO_WAITS_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"


async def outcomes(calls: Iterable[Awaitable[Any]]) -> tuple[list[Any], list[dict[str, str]]]:
    """Run calls at once; return the answers, and the figures of those that were refused as OUT_OF_STOCK."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    taken = [answer for answer in answers if not isinstance(answer, BaseException)]
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, grpc.aio.AioRpcError) for error in errors), errors
    refusals = [read_refusal(error) for error in errors if isinstance(error, grpc.aio.AioRpcError)]
    assert {refusal.reason for refusal in refusals} <= {"OUT_OF_STOCK"}
    return taken, [refusal.metadata for refusal in refusals]


async def test_ninety_clients_sell_exactly_the_stock(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=200)

    async def client(number: int) -> tuple[list[Any], list[dict[str, str]]]:
        taken: list[Any] = []
        refused: list[dict[str, str]] = []
        for _ in range(5):
            one_taken, one_refused = await outcomes([stock.reserve(new_id(), {disc.id: 1})])
            taken, refused = taken + one_taken, refused + one_refused
        return taken, refused

    results = await asyncio.gather(*map(client, range(CLIENTS)))
    sold = [reservation for taken, _ in results for reservation in taken]
    refused = [figures for _, refusals in results for figures in refusals]
    assert (len(sold), len(refused)) == (200, 250)
    assert sorted(reservation.lines[0].stock_left for reservation in sold) == list(range(200))
    assert {figures["left"] for figures in refused} == {"0"}
    balance = await stock.balance(disc.id)
    assert (balance.left, balance.held) == (0, 200)


async def test_nobody_is_refused_while_there_are_copies_for_all(stock: StockRoom, make_disc: Any) -> None:
    for _ in range(5):
        disc = await make_disc(stock=CLIENTS)
        taken, refused = await outcomes(stock.reserve(new_id(), {disc.id: 1}) for _ in range(CLIENTS))
        assert (len(taken), refused) == (CLIENTS, [])
        assert await stock.left(disc.id) == 0


async def test_who_asks_for_several_is_refused_only_if_fewer_are_left(stock: StockRoom, make_disc: Any) -> None:
    for _ in range(5):
        disc = await make_disc(stock=100)
        taken, refused = await outcomes(stock.reserve(new_id(), {disc.id: 1 + n % 4}) for n in range(CLIENTS))
        sold = sum(reservation.lines[0].quantity for reservation in taken)
        left = await stock.left(disc.id)
        assert refused
        assert sold + left == 100
        # Stock only falls here, so that what is left at the end was there for everybody.
        assert all(left <= int(figures["left"]) < int(figures["asked"]) for figures in refused)


async def test_equal_reservations_at_once_take_stock_once(stock: StockRoom, make_disc: Any) -> None:
    one, other = [(await make_disc(stock=100)).id for _ in range(2)]
    ids = [new_id() for _ in range(30)]
    lines = {one: 2, other: 1}
    taken, refused = await outcomes(stock.reserve(reservation_id, lines) for reservation_id in ids * 8)
    assert (len(taken), refused) == (240, [])
    answers = {(answer.reservation_id, answer.SerializeToString(deterministic=True)) for answer in taken}
    assert len(answers) == 30
    assert [await stock.left(one), await stock.left(other)] == [40, 70]


async def test_equal_reservations_at_once_at_the_end_of_the_stock_get_one_answer(
    stock: StockRoom, make_disc: Any
) -> None:
    for _ in range(10):
        disc = await make_disc(stock=3)
        ids = [new_id() for _ in range(4)]
        taken, refused = await outcomes(stock.reserve(reservation_id, {disc.id: 1}) for reservation_id in ids * 8)
        assert (len(taken), len(refused)) == (24, 8)
        assert set(Counter(answer.reservation_id for answer in taken).values()) == {8}
        assert await stock.left(disc.id) == 0


async def test_discs_asked_for_in_opposite_orders_never_deadlock_and_leak_nothing(
    stock: StockRoom, make_disc: Any, catalog_admin: Any
) -> None:
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await catalog_admin.fetchval(deadlocks)
    ids = [(await make_disc(stock=120)).id for _ in range(4)]
    forth = [(disc_id, 1) for disc_id in ids]
    calls = [stock.reserve(new_id(), forth if n % 2 else reversed(forth)) for n in range(180)]
    taken, refused = await outcomes(calls)
    assert (len(taken), len(refused)) == (120, 60)
    balances = (await stock.balances(disc_ids=ids)).balances
    assert [(balance.left, balance.held) for balance in balances] == [(0, 120)] * 4
    assert await catalog_admin.fetchval(deadlocks) == before


async def test_a_reserve_that_races_its_release_leaves_the_stock_whole(stock: StockRoom, make_disc: Any) -> None:
    discs = [(await make_disc(stock=60)).id for _ in range(2)]

    async def race(number: int) -> None:
        reservation_id = new_id()
        calls = [
            stock.reserve(reservation_id, dict.fromkeys(discs, 1)),
            stock.release(reservation_id, *discs),
            stock.reserve(reservation_id, dict.fromkeys(discs, 1)),
        ]
        answers = await asyncio.gather(*(calls if number % 2 else reversed(calls)), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, grpc.aio.AioRpcError):
                assert read_refusal(answer).reason == "RESERVATION_RELEASED"
            else:
                assert not isinstance(answer, BaseException), answer
                assert answer.state in {RESERVED, RELEASED}
        assert (await stock.reservation(reservation_id, *discs)).state == RELEASED

    await asyncio.gather(*map(race, range(60)))
    for disc_id in discs:
        balance = await stock.balance(disc_id)
        assert (balance.left, balance.held) == (60, 0)


async def test_equal_releases_at_once_give_back_once(stock: StockRoom, make_disc: Any) -> None:
    disc = await make_disc(stock=50)
    ids = [new_id() for _ in range(10)]
    await asyncio.gather(*(stock.reserve(reservation_id, {disc.id: 5}) for reservation_id in ids))
    assert await stock.left(disc.id) == 0
    await asyncio.gather(*(stock.release(reservation_id, disc.id) for reservation_id in ids * 8))
    assert await stock.left(disc.id) == 50


async def test_balances_add_up_in_every_reading_while_the_shop_sells(stock: StockRoom, make_disc: Any) -> None:
    discs = [(await make_disc(stock=100)).id for _ in range(3)]
    selling = True
    readings = 0

    async def sell(number: int) -> None:
        for turn in range(10):
            reservation_id = new_id()
            await stock.reserve(reservation_id, dict.fromkeys(discs[: 1 + turn % 3], 1))
            await stock.adjust(discs[number % 3], 2)
            await stock.release(reservation_id, *discs[: 1 + turn % 3])

    async def read() -> None:
        nonlocal readings
        while selling:
            balances = (await stock.balances(disc_ids=discs)).balances
            assert [balance.disc_id for balance in balances] == sorted(discs)
            assert all(map(adds_up, balances)), balances
            readings += 1

    reader = asyncio.ensure_future(read())
    await asyncio.gather(*map(sell, range(20)))
    selling = False
    await reader
    assert readings > 3


@asynccontextmanager
async def delivery_on_its_way(catalog_admin: Any, disc_id: str) -> AsyncIterator[None]:
    """Hold the disc by a delivery of 5 that is committed at the end, when one call has begun before it and waits for it."""
    async with catalog_admin.transaction():
        await catalog_admin.execute("UPDATE discs SET stock = stock + 5 WHERE id = $1", UUID(disc_id))
        await catalog_admin.execute(
            "INSERT INTO stock_movements (disc_id, movement_id, delta, reason, state, stock_left)"
            " VALUES ($1, $2, 5, 'delivery', 'APPLIED', 5)",
            UUID(disc_id),
            new_id(),
        )
        yield
        await eventually(lambda: catalog_admin.fetchval(WHO_WAITS_FOR_ME), lambda waiting: waiting == 1)


async def test_a_reserve_that_waits_while_copies_come_takes_all_its_lines_or_none(
    stock: StockRoom, make_disc: Any, catalog_admin: Any
) -> None:
    sold_out, plenty = (await make_disc(stock=0)).id, (await make_disc(stock=10)).id
    for lines in ({sold_out: 2}, {sold_out: 2, plenty: 1}):
        reservation_id = new_id()
        async with delivery_on_its_way(catalog_admin, sold_out):
            call = asyncio.ensure_future(outcomes([stock.reserve(reservation_id, lines)]))
        taken, _ = await call
        recorded = await stock.reservation(reservation_id, *lines)
        assert [reservation.state for reservation in taken] == [RESERVED] * len(taken)
        assert recorded.state == (RESERVED if taken else DENIED)
        assert all(line.reason == "" for line in recorded.lines) == bool(taken)
        for disc_id in lines:
            await stock.balance(disc_id)


async def test_a_loss_that_waits_while_copies_come_is_decided_by_what_they_leave(
    stock: StockRoom, make_disc: Any, catalog_admin: Any
) -> None:
    disc = await make_disc(stock=0)
    async with delivery_on_its_way(catalog_admin, disc.id):
        call = asyncio.ensure_future(stock.adjust(disc.id, -2))
    assert (await call).stock_left == 3
    assert await stock.left(disc.id) == 3
