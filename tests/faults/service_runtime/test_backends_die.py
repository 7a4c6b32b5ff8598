"""The database ends the services' connections in the midst of their calls."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from uuid import uuid4

import grpc

from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of
from tests.faults.stage import CALL_TIMEOUT_S, Stage

ROUNDS = 50
CLIENTS = 10
ORDERS = 60
KILL_INTERVAL_MAX_S = 0.06
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE usename IN ('catalog_service', 'customer_service', 'order_service') AND datname LIKE '%\\_' || $1 AND random() < 0.3
"""


async def code_of(call: Awaitable[object]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def batch_of_one(stage: Stage, request: order_pb2.CreateOrderRequest) -> None:
    """Places an order in a batch, whose call is OK whatever becomes of its entries."""
    batch = order_pb2.BatchCreateOrdersRequest(requests=[request])
    [result] = (await stage.shop.order.BatchCreateOrders(batch, timeout=CALL_TIMEOUT_S)).results
    assert result.error.code in {grpc.StatusCode.OK.value[0], grpc.StatusCode.UNAVAILABLE.value[0]}, result


async def kill_backends(stage: Stage, stop: asyncio.Event) -> int:
    """Ends some of the services' connections again and again, and answers how many."""
    suffix = (await stage.books.orders.fetchval("SELECT current_database()")).rpartition("_")[2]
    ended = 0
    while not stop.is_set():
        ended += await stage.books.catalog.fetchval(TERMINATE, suffix)
        await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=random.uniform(0, KILL_INTERVAL_MAX_S))
    return ended


async def all_calls(stage: Stage, disc: str, request_id: str) -> list[str]:
    """Makes one call of each kind, and answers their codes."""
    shop, order_id = stage.shop, stage.order_id(request_id)
    reserve = stock_pb2.ReserveStockRequest(
        reservation_id=str(uuid4()), lines=[stock_pb2.StockLine(disc_id=disc, quantity=1)]
    )
    release = stock_pb2.ReleaseStockRequest(reservation_id=reserve.reservation_id, disc_ids=[disc])
    adjust = stock_pb2.AdjustStockRequest(disc_id=disc, movement_id=request_id, delta=1, reason="delivery")
    calls: list[Awaitable[object]] = [
        shop.order.CreateOrder(stage.request(request_id, {disc: 1}), timeout=CALL_TIMEOUT_S),
        batch_of_one(stage, stage.request(f"{request_id}-b", {disc: 1})),
        shop.order.ListOrders(order_pb2.ListOrdersRequest(page_size=5), timeout=CALL_TIMEOUT_S),
        shop.catalog.GetDisc(catalog_pb2.GetDiscRequest(id=disc), timeout=CALL_TIMEOUT_S),
        shop.catalog.ListDiscs(catalog_pb2.ListDiscsRequest(page_size=5), timeout=CALL_TIMEOUT_S),
        shop.customer.GetCustomer(customer_pb2.GetCustomerRequest(id=stage.customer_id), timeout=CALL_TIMEOUT_S),
        shop.stock.AdjustStock(adjust, timeout=CALL_TIMEOUT_S),
        shop.stock.ReserveStock(reserve, timeout=CALL_TIMEOUT_S),
    ]
    codes = [await code_of(call) for call in calls]
    # These may rightly answer that there is no such order, if it was not taken in.
    get = shop.order.GetOrder(order_pb2.GetOrderRequest(id=order_id), timeout=CALL_TIMEOUT_S)
    cancel = shop.order.CancelOrder(
        order_pb2.CancelOrderRequest(order_id=order_id, request_id="cancel"), timeout=CALL_TIMEOUT_S
    )
    codes += [code for code in [await code_of(get), await code_of(cancel)] if code != "NOT_FOUND"]
    # The audit would rightly miss the order of a reservation that nobody ordered.
    while await code_of(shop.stock.ReleaseStock(release, timeout=CALL_TIMEOUT_S)) != "OK":
        codes.append("UNAVAILABLE")
    return codes


async def test_backends_that_die_midway_are_unavailable_and_nothing_else(stage: Stage) -> None:
    disc = await stage.disc(stock=10 * ROUNDS)
    request_ids = iter([f"backends-{uuid4()}" for _ in range(ROUNDS)])
    stop, codes = asyncio.Event(), Counter[str]()

    async def client() -> None:
        for request_id in request_ids:
            codes.update(await all_calls(stage, disc, request_id))

    killer = asyncio.create_task(kill_backends(stage, stop))
    try:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
    finally:
        stop.set()
    assert await killer > ROUNDS
    assert codes["UNAVAILABLE"] > 0, "no connection ended in the midst of a call"
    assert codes.keys() == {"OK", "UNAVAILABLE"}
    await stage.promise_kept(disc)


async def test_orders_whose_backends_die_are_decided_once(stage: Stage) -> None:
    disc = await stage.disc(stock=ORDERS // 2)
    request_ids = [f"backends-{uuid4()}" for _ in range(ORDERS)]
    stop = asyncio.Event()
    killer = asyncio.create_task(kill_backends(stage, stop))
    try:
        first = await asyncio.gather(*(answer_of(stage.place(r, {disc: 1})) for r in request_ids))
    finally:
        stop.set()
    assert await killer > 0
    acknowledged = {answer.id for answer in first if isinstance(answer, order_pb2.Order)}
    last = await asyncio.gather(*(answer_of(stage.place_at_last(r, {disc: 1})) for r in request_ids))
    confirmed = {
        answer.id for answer in last if isinstance(answer, order_pb2.Order) and status_of(answer) == "CONFIRMED"
    }
    assert acknowledged <= confirmed
    assert len(confirmed) == ORDERS // 2
    assert await stage.books.stock(disc) == 0
    await stage.promise_kept(disc)
