"""Many buyers at once: no oversell, no false sold-out, no order twice, and the audit agrees."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

import grpc
import pytest

from recordshop.order.v1 import order_pb2
from tests.integration.order_desk import AGREES, CANCELLED, CONFIRMED, OPEN, PENDING, OrderDesk, order_id
from tests.integration.refusals import read_refusal
from tests.integration.stock_room import StockRoom, new_id

CLIENTS = 90
RACE_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
async def customer_ids(make_customer: Any) -> list[str]:
    """Some active customers."""
    return [(await make_customer()).id for _ in range(10)]


async def outcomes(calls: Iterable[Awaitable[Any]]) -> tuple[list[Any], list[dict[str, str]]]:
    """Run calls at once; return the orders, and the figures of those that were refused as OUT_OF_STOCK."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, grpc.aio.AioRpcError) for error in errors), errors
    refusals = [read_refusal(error) for error in errors if isinstance(error, grpc.aio.AioRpcError)]
    assert {refusal.reason for refusal in refusals} <= {"OUT_OF_STOCK"}
    placed = [answer for answer in answers if not isinstance(answer, BaseException)]
    return placed, [refusal.metadata for refusal in refusals]


async def test_ninety_clients_buy_exactly_the_stock(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_ids: list[str]
) -> None:
    disc = await make_disc(stock=150)

    async def client(number: int) -> tuple[int, list[dict[str, str]]]:
        sold, refused = 0, []
        for _ in range(3):
            placed, refusals = await outcomes([orders.create(customer_ids[number % 10], {disc.id: 1})])
            sold, refused = sold + len(placed), refused + refusals
        return sold, refused

    results = await asyncio.gather(*map(client, range(CLIENTS)))
    refused = [figures for _, refusals in results for figures in refusals]
    assert (sum(sold for sold, _ in results), len(refused)) == (150, 120)
    assert {figures["left"] for figures in refused} == {"0"}
    assert await stock.left(disc.id) == 0
    await orders.agrees(disc.id)


async def test_nobody_is_refused_while_there_are_copies_for_all(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_ids: list[str]
) -> None:
    disc = await make_disc(stock=CLIENTS)
    placed, refused = await outcomes(orders.create(customer_ids[n % 10], {disc.id: 1}) for n in range(CLIENTS))
    assert (len(placed), refused) == (CLIENTS, [])
    assert await stock.left(disc.id) == 0


async def test_an_order_is_refused_only_if_fewer_copies_are_left_than_it_asks_for(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_ids: list[str]
) -> None:
    disc = await make_disc(stock=100)
    calls = [orders.create(customer_ids[n % 10], {disc.id: 1 + n % 4}) for n in range(CLIENTS)]
    placed, refused = await outcomes(calls)
    left = await stock.left(disc.id)
    assert refused
    assert sum(order.lines[0].quantity for order in placed) + left == 100
    # Stock only falls here, so that what is left at the end was there for everybody.
    assert all(left <= int(figures["left"]) < int(figures["asked"]) for figures in refused)


async def test_orders_of_several_discs_in_opposite_orders_are_all_or_nothing(
    orders: OrderDesk, make_disc: Any, customer_ids: list[str]
) -> None:
    ids = [(await make_disc(stock=40)).id for _ in range(3)]
    forth = [(disc_id, 1) for disc_id in ids]
    calls = [orders.create(customer_ids[n % 10], forth if n % 2 else reversed(forth)) for n in range(60)]
    placed, refused = await outcomes(calls)
    assert (len(placed), len(refused)) == (40, 20)
    await orders.agrees(*ids)


async def cancel_as_soon_as_it_is_there(orders: OrderDesk, order: str) -> order_pb2.Order:
    while True:
        try:
            return await orders.cancel(order)
        except grpc.aio.AioRpcError as error:
            if read_refusal(error).reason != "ORDER_NOT_FOUND":
                raise


async def test_a_cancel_that_races_its_create_leaves_the_stock_whole(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_ids: list[str]
) -> None:
    disc = await make_disc(stock=20)

    async def race(number: int) -> None:
        customer_id, request_id = customer_ids[number % 10], new_id()
        order = order_id(customer_id, request_id)
        async with asyncio.timeout(RACE_TIMEOUT_S):
            created, cancelled, again, replayed = await asyncio.gather(
                orders.create(customer_id, {disc.id: 1}, request_id),
                cancel_as_soon_as_it_is_there(orders, order),
                cancel_as_soon_as_it_is_there(orders, order),
                orders.create(customer_id, {disc.id: 1}, request_id),
            )
        assert {answer.id for answer in (created, cancelled, again, replayed)} == {order}
        assert [cancelled.status, again.status] == [CANCELLED, CANCELLED]
        assert PENDING not in {created.status, replayed.status}
        assert (await orders.get(order)).status == CANCELLED

    await asyncio.gather(*map(race, range(20)))
    assert await stock.left(disc.id) == 20
    await orders.agrees(disc.id)


async def test_the_audit_is_right_in_every_reading_while_orders_come_and_go(
    orders: OrderDesk, make_disc: Any, customer_ids: list[str]
) -> None:
    ids = [(await make_disc(stock=60)).id for _ in range(2)]
    selling = True
    readings: list[order_pb2.DiscAudit] = []

    async def trade(number: int) -> None:
        for turn in range(6):
            lines = dict.fromkeys(ids[: 1 + turn % 2], 1)
            placed, _ = await outcomes([orders.create(customer_ids[number % 10], lines)])
            for order in placed[: turn % 2]:
                await orders.cancel(order.id)

    async def read() -> None:
        while selling:
            readings.extend(await orders.audit(*ids))

    reader = asyncio.ensure_future(read())
    await asyncio.gather(*map(trade, range(20)))
    selling = False
    await reader
    assert len(readings) > 2
    for audit in readings:
        assert audit.opening + audit.moved == audit.left + audit.held
        assert audit.verdict in {AGREES, OPEN}, audit
        assert list(audit.wrong_order_ids) == []
    await orders.agrees(*ids)


async def test_equal_orders_at_the_end_of_the_stock_get_one_answer(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_ids: list[str]
) -> None:
    for _ in range(5):
        disc = await make_disc(stock=3)
        ids = [new_id() for _ in range(4)]
        calls = [orders.create(customer_ids[0], {disc.id: 1}, request_id) for request_id in ids * 4]
        placed, refused = await outcomes(calls)
        assert (len({order.id for order in placed}), len(placed), len(refused)) == (3, 12, 4)
        assert {order.status for order in placed} == {CONFIRMED}
        assert await stock.left(disc.id) == 0
