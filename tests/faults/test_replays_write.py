"""A repeated call writes, so that its answer waits for a synchronous standby as the first one's did."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from order_service.return_model import return_id_for
from recordshop.catalog.v1 import stock_pb2
from recordshop.errors import CustomerInactive, OutOfStock, StockBelowZero
from tests.faults.answers import answer_of
from tests.faults.stage import CALL_TIMEOUT_S, Stage
from tests.faults.waiting import eventually

# A row that was written, or locked by a transaction with an id of its own, which is on disk like a write when it has committed.
ORDER_TOUCHED = "SELECT xmin::text FROM orders WHERE id = $1"
RETURN_TOUCHED = "SELECT xmin::text FROM order_returns WHERE order_id = $1"
ORDER_LOCKED = "SELECT xmax::text FROM orders WHERE id = $1"
RESERVATION_TOUCHED = "SELECT xmax::text FROM reservations WHERE reservation_id = $1"
MOVEMENT_TOUCHED = "SELECT xmin::text FROM stock_movements WHERE movement_id = $1"

Touched = Callable[[], Awaitable[str]]


async def writes(call: Callable[[], Awaitable[object]], touched: Touched) -> bool:
    """Tells whether each of two more calls leaves its mark on the row."""
    marks = [await touched()]
    for _ in range(2):
        await call()
        marks.append(await touched())
    return len(set(marks)) == 3


async def test_a_repeated_create_order_writes_whatever_the_order_is(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    inactive = (await stage.shop.make_customer()).id
    await stage.set_active(inactive, active=False)
    for quantity, customer_id, error in ((2, None, None), (1_000, None, OutOfStock), (1, inactive, CustomerInactive)):
        request_id = f"replay-{uuid4()}"
        order_id = UUID(stage.order_id(request_id, customer_id))

        def touched(order_id: UUID = order_id) -> Awaitable[str]:
            return stage.books.orders.fetchval(ORDER_TOUCHED, order_id)

        def replay(
            request_id: str = request_id, quantity: int = quantity, who: str | None = customer_id
        ) -> Awaitable[object]:
            return answer_of(stage.place(request_id, {disc: quantity}, customer_id=who))

        first = await replay()
        assert error is None or isinstance(first, error)
        assert await writes(replay, touched)
    await stage.promise_kept(disc)


async def test_an_order_answered_without_its_customer_service_is_answered_by_a_write(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=9), f"replay-{uuid4()}"
    order = await stage.place(request_id, {disc: 2})
    stage.customer.kill()
    assert await writes(
        lambda: stage.place(request_id, {disc: 2}),
        lambda: stage.books.orders.fetchval(ORDER_TOUCHED, UUID(order.id)),
    )


async def test_recovery_reads_the_orders_that_it_acts_on_by_a_write(stage: Stage) -> None:
    disc, request_id = await stage.disc(stock=9), f"recovered-{uuid4()}"
    order_id = UUID(stage.order_id(request_id))
    # Without the catalog nothing is decided, and nobody but recovery comes to the order again.
    stage.catalog.kill()
    await answer_of(stage.place(request_id, {disc: 2}))
    await eventually(lambda: stage.books.orders.fetchval(ORDER_LOCKED, order_id), lambda mark: mark != "0")
    await stage.start(stage.catalog)
    await stage.books.nothing_open()
    await stage.promise_kept(disc)


async def test_a_repeated_cancel_order_writes(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order = await stage.place(f"replay-{uuid4()}", {disc: 2})
    await stage.cancel(order.id)
    assert await writes(
        lambda: stage.cancel(order.id), lambda: stage.books.orders.fetchval(ORDER_TOUCHED, UUID(order.id))
    )
    await stage.promise_kept(disc)


async def test_a_repeated_return_writes_in_both_databases(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    order = await stage.place(f"replay-{uuid4()}", {disc: 5})
    await stage.take_back(order.id, {disc: 2})
    assert await writes(
        lambda: stage.take_back(order.id, {disc: 2}),
        lambda: stage.books.orders.fetchval(RETURN_TOUCHED, UUID(order.id)),
    )
    assert await writes(
        lambda: stage.take_back(order.id, {disc: 2}), lambda: stage.books.orders.fetchval(ORDER_TOUCHED, UUID(order.id))
    )
    again = stock_pb2.ReturnStockRequest(
        return_id=str(return_id_for(UUID(order.id), "return")),
        reservation_id=order.id,
        lines=[stock_pb2.StockLine(disc_id=disc, quantity=2)],
    )
    assert await writes(
        lambda: stage.shop.stock.ReturnStock(again, timeout=CALL_TIMEOUT_S),
        lambda: stage.books.catalog.fetchval(RESERVATION_TOUCHED, UUID(order.id)),
    )
    await stage.promise_kept(disc)


@pytest.mark.parametrize("quantity", [2, 50])
async def test_a_repeated_reserve_or_release_writes(stage: Stage, quantity: int) -> None:
    disc, reservation_id = await stage.disc(stock=9), str(uuid4())
    reserve = stock_pb2.ReserveStockRequest(
        reservation_id=reservation_id, lines=[stock_pb2.StockLine(disc_id=disc, quantity=quantity)]
    )
    release = stock_pb2.ReleaseStockRequest(reservation_id=reservation_id, disc_ids=[disc])

    async def reserving() -> None:
        await asyncio.wait(
            [asyncio.ensure_future(stage.shop.stock.ReserveStock(reserve, timeout=CALL_TIMEOUT_S).code())]
        )

    async def touched() -> str:
        return str(await stage.books.catalog.fetchval(RESERVATION_TOUCHED, UUID(reservation_id)))

    await reserving()
    assert await writes(reserving, touched)
    assert await writes(lambda: stage.shop.stock.ReleaseStock(release, timeout=CALL_TIMEOUT_S), touched)
    await stage.promise_kept(disc)


@pytest.mark.parametrize("delta", [3, -50])
async def test_a_repeated_movement_writes(stage: Stage, delta: int) -> None:
    disc, movement_id = await stage.disc(stock=9), str(uuid4())

    async def adjust() -> None:
        if delta > 0:
            await stage.adjust(disc, delta, movement_id)
            return
        with pytest.raises(StockBelowZero):
            await stage.adjust(disc, delta, movement_id)

    await adjust()
    assert await writes(adjust, lambda: stage.books.catalog.fetchval(MOVEMENT_TOUCHED, movement_id))
    await stage.promise_kept(disc)
