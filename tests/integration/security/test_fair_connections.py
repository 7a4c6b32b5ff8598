"""Nobody takes the shop away from others by calls, connections or messages, however many or large they are."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from catalog_service.settings import CatalogSettings
from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.channels import open_channel
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from recordshop.error_details import error_from_rpc
from recordshop.order.v1 import order_pb2
from service_runtime.server import _options
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.order_desk import CONFIRMED, order_request
from tests.integration.security.callers import CALL_TIMEOUT_S, shop_of
from tests.integration.security.conftest import OpenLockedShop
from tests.integration.security.relay import Relay, relayed
from tests.opened_shop import OpenedShop
from tests.support.memory import resident_bytes

MEGABYTE = 1 << 20
TIMEOUT_S = 30.0
CALLS_MAX = 3
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = struct.pack(">I", 0)[1:] + bytes([4, 0]) + bytes(4)
# A connection of a caller's own, whoever else calls from this process.
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
# Asks whether a silent stream still lives, as often as it can.
EAGER = (("grpc.keepalive_time_ms", 10), ("grpc.http2.max_pings_without_data", 0))
PINGS = 20
GET_ORDER = "/recordshop.order.v1.OrderService/GetOrder"


@asynccontextmanager
async def own_channel(address: str, *options: tuple[str, int], **more: Any) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel with a connection of its own."""
    async with grpc.aio.insecure_channel(address, options=[*OWN_CONNECTION, *options], **more) as channel:
        yield channel


async def code_of(call: Awaitable[object]) -> grpc.StatusCode:
    """Await a call, and answer how it ended."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def buys(shop: OpenedShop, disc_id: str, customer_id: str) -> None:
    """Buy a copy, as somebody who minds their own business."""
    order = await shop.order.CreateOrder(order_request(customer_id, {disc_id: 1}), timeout=CALL_TIMEOUT_S)
    assert order.status == CONFIRMED


@asynccontextmanager
async def raw_connection(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Bytes to and from a service, past every client library."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def watch(stack: AsyncExitStack, shop: RecordShop, disc_id: str) -> Any:
    """Watch a disc, which has been told how it is."""
    request = stock_pb2.WatchStockRequest(discs=[stock_pb2.WatchedDisc(disc_id=disc_id)])
    call = shop.stock.WatchStock(request, timeout=TIMEOUT_S)
    stack.callback(call.cancel)
    assert (await call.read()).changes
    return call


async def test_beyond_its_calls_a_caller_is_refused_on_every_connection_and_others_are_not(
    open_locked_shop: OpenLockedShop,
) -> None:
    locked = open_locked_shop({"catalog": {"CALLER_CALLS_RUNNING_MAX": str(CALLS_MAX)}})
    greedy_id, modest_id = str(uuid4()), str(uuid4())
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(shop_of(locked, "admin", "root"))
        disc = await admin.create_disc(
            catalog_pb2.Disc(name="D", artist="A", year_of_release=1999, genre="Rock", price_cents=1), opening_stock=5
        )
        shops = [await stack.enter_async_context(shop_of(locked, "customer", greedy_id)) for _ in range(CALLS_MAX + 1)]
        calls = [await watch(stack, shop, disc.id) for shop in shops[:CALLS_MAX]]
        for shop in shops:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await shop.discs.GetDisc(catalog_pb2.GetDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
            error = error_from_rpc(refused.value)
            assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
            assert error.retry_after_s
        # Nobody else has fewer calls for that: another customer, staff, and the order service at its own port.
        modest = await stack.enter_async_context(shop_of(locked, "customer", modest_id))
        await watch(stack, modest, disc.id)
        await modest.discs.GetDisc(catalog_pb2.GetDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
        await admin.discs.GetDisc(catalog_pb2.GetDiscRequest(id=disc.id), timeout=CALL_TIMEOUT_S)
        calls[0].cancel()

        async def is_let_in() -> bool:
            asked = catalog_pb2.GetDiscRequest(id=disc.id)
            return await code_of(shops[0].discs.GetDisc(asked, timeout=CALL_TIMEOUT_S)) is grpc.StatusCode.OK

        await eventually(is_let_in, bool)


async def test_what_is_open_to_everybody_is_limited_by_the_address(open_locked_shop: OpenLockedShop) -> None:
    locked = open_locked_shop({"order": {"CALLER_CALLS_RUNNING_MAX": str(CALLS_MAX)}})
    address = locked.local.order_addr
    async with AsyncExitStack() as stack:

        async def watches_health(at: str) -> bool:
            channel = await stack.enter_async_context(open_channel(at, tls=locked.tls))
            call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
            stack.callback(call.cancel)
            try:
                return bool((await call.read()).status)
            except grpc.aio.AioRpcError as error:
                if error_from_rpc(error).reason != "TOO_MANY_CALLS":
                    raise
                return False

        assert [await watches_health(address) for _ in range(CALLS_MAX + 2)] == [True] * CALLS_MAX + [False] * 2
        relay = await stack.enter_async_context(relayed(address))
        assert await watches_health(relay.address)
        # Who calls with a token is known by that.
        root = await stack.enter_async_context(shop_of(locked, "admin", "root"))
        await root.orders.ListOrders(order_pb2.ListOrdersRequest(), timeout=CALL_TIMEOUT_S)


async def test_beyond_its_streams_a_connection_waits_and_another_does_not(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"customer": {"CONNECTION_STREAMS_MAX": "2"}})
    address = shop.local.customer_addr
    asked = customer_pb2.ListCustomersRequest(page_size=1)
    async with own_channel(address) as greedy, own_channel(address) as modest:
        health = health_pb2_grpc.HealthStub(greedy)
        holding = [health.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S) for _ in range(2)]
        for call in holding:
            assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
        waiting = asyncio.ensure_future(
            customer_pb2_grpc.CustomerServiceStub(greedy).ListCustomers(asked, timeout=TIMEOUT_S)
        )
        for _ in range(20):
            await customer_pb2_grpc.CustomerServiceStub(modest).ListCustomers(asked, timeout=CALL_TIMEOUT_S)
        assert not waiting.done()
        holding[0].cancel()
        await waiting
        holding[1].cancel()


async def test_beyond_its_connections_a_port_takes_none_and_those_that_stand_go_on(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"CONNECTIONS_MAX": "4"}})
    disc, customer = (await shop.make_disc(stock=100)).id, (await shop.make_customer()).id
    await buys(shop, disc, customer)

    async def is_let_in() -> bool:
        async with own_channel(shop.local.order_addr) as channel:
            call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=CALL_TIMEOUT_S)
            return await code_of(call) is grpc.StatusCode.OK

    async def cut_off(stack: AsyncExitStack) -> bytes:
        reader, writer = await stack.enter_async_context(raw_connection(shop.local.order_addr))
        with suppress(ConnectionError):
            writer.write(PREFACE + EMPTY_SETTINGS)
            return await reader.read(1)
        return b""

    async with AsyncExitStack() as stack:
        async with asyncio.timeout(TIMEOUT_S):
            # Whoever looked whether the shop is open may not have left yet.
            while await cut_off(stack):
                pass
            assert await cut_off(stack) == b""
        for _ in range(10):
            await buys(shop, disc, customer)
        assert not await is_let_in()
    await eventually(is_let_in, bool)


async def test_a_connection_that_is_too_old_ends_its_streams_and_no_other_call_fails(fresh_shop: FreshShops) -> None:
    ages = {"CONNECTION_AGE_MAX_S": "0.3", "CONNECTION_AGE_GRACE_S": "0.3"}
    shop = await fresh_shop(settings=dict.fromkeys(("catalog", "customer", "order"), ages))
    disc, customer = (await shop.make_disc(stock=10_000)).id, (await shop.make_customer()).id
    request = stock_pb2.WatchStockRequest(discs=[stock_pb2.WatchedDisc(disc_id=disc)])
    async with own_channel(shop.local.catalog_addr) as channel:
        for_ever = channel.unary_stream(
            "/recordshop.catalog.v1.StockService/WatchStock",
            request_serializer=stock_pb2.WatchStockRequest.SerializeToString,
        )(request, timeout=TIMEOUT_S)
        ended = asyncio.ensure_future(code_of(_to_its_end(for_ever)))
        # Connections of the buyer, and of the order service to its neighbours, are renewed meanwhile.
        while not ended.done():
            await buys(shop, disc, customer)
        assert await ended is grpc.StatusCode.UNAVAILABLE


async def _to_its_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_connection_without_calls_is_closed_and_one_with_calls_is_not(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"catalog": {"CONNECTION_IDLE_MAX_S": "0.5"}})
    disc = (await shop.make_disc(stock=5)).id
    request = stock_pb2.WatchStockRequest(discs=[stock_pb2.WatchedDisc(disc_id=disc)])
    watching = shop.stock.WatchStock(request, timeout=TIMEOUT_S)
    assert (await watching.read()).changes
    async with raw_connection(shop.local.catalog_addr) as (reader, writer):
        writer.write(PREFACE + EMPTY_SETTINGS)
        async with asyncio.timeout(TIMEOUT_S):
            heard = await reader.read(-1)
    assert b"connection idle" in heard
    await shop.stock.AdjustStock(
        stock_pb2.AdjustStockRequest(disc_id=disc, movement_id=str(uuid4()), delta=1, reason="r"),
        timeout=CALL_TIMEOUT_S,
    )
    assert (await watching.read()).changes
    watching.cancel()


@pytest.mark.parametrize("interval_s", ["0.001", "60"])
async def test_who_pings_too_often_is_cut_off_and_nobody_else(fresh_shop: FreshShops, interval_s: str) -> None:
    shop = await fresh_shop(settings={"catalog": {"KEEPALIVE_INTERVAL_MIN_S": interval_s}})
    disc = (await shop.make_disc(stock=5)).id
    request = stock_pb2.WatchStockRequest(discs=[stock_pb2.WatchedDisc(disc_id=disc)])
    async with relayed(shop.local.catalog_addr) as relay, own_channel(relay.address, *EAGER) as eager:
        watching = eager.unary_stream(
            "/recordshop.catalog.v1.StockService/WatchStock",
            request_serializer=stock_pb2.WatchStockRequest.SerializeToString,
        )(request, timeout=TIMEOUT_S)
        beside = shop.stock.WatchStock(request, timeout=TIMEOUT_S)
        assert (await beside.read()).changes
        await watching.read()
        if interval_s == "60":
            assert await code_of(_to_its_end(watching)) is grpc.StatusCode.UNAVAILABLE
        else:
            await _pinged(relay)
            watching.cancel()
        await shop.stock.AdjustStock(
            stock_pb2.AdjustStockRequest(disc_id=disc, movement_id=str(uuid4()), delta=1, reason="r"),
            timeout=CALL_TIMEOUT_S,
        )
        assert (await beside.read()).changes
        beside.cancel()


async def _pinged(relay: Relay) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        for _ in range(PINGS):
            await relay.pings.acquire()


async def test_a_message_that_is_too_large_is_refused_and_no_neighbour_of_its_connection(
    fresh_shop: FreshShops,
) -> None:
    shop = await fresh_shop(settings={"order": {"MESSAGE_SIZE_MAX_BYTES": "100000"}})
    disc, customer = (await shop.make_disc(stock=5)).id, (await shop.make_customer()).id
    async with own_channel(shop.local.order_addr) as channel:
        call = channel.unary_unary(GET_ORDER)
        calls = [code_of(call(b"\x0a" + bytes(size), timeout=CALL_TIMEOUT_S)) for size in (99_000, 100_001, MEGABYTE)]
        too_large = grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await asyncio.gather(*calls) == [grpc.StatusCode.INVALID_ARGUMENT, too_large, too_large]
        await buys(shop, disc, customer)


async def test_what_unpacks_into_a_large_message_is_refused_before_it_does(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop()
    disc, customer = (await shop.make_disc(stock=5)).id, (await shop.make_customer()).id
    await buys(shop, disc, customer)
    before = resident_bytes(shop.local.order.pid)
    async with own_channel(shop.local.order_addr, compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary(GET_ORDER)(bytes(256 * MEGABYTE), timeout=TIMEOUT_S)
        assert await code_of(call) is grpc.StatusCode.RESOURCE_EXHAUSTED
        await buys(shop, disc, customer)
    assert resident_bytes(shop.local.order.pid) - before < 50 * MEGABYTE


async def test_metadata_beyond_the_limit_are_refused_and_a_long_token_is_not(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": {"METADATA_SIZE_MAX_BYTES": "12000"}})
    asked = order_pb2.ListOrdersRequest()

    async def answered(size: int) -> grpc.StatusCode:
        metadata = [("authorization", "x" * size)]
        return await code_of(shop.order.ListOrders(asked, metadata=metadata, timeout=CALL_TIMEOUT_S))

    assert [await answered(size) for size in (8_192, 11_000)] == [grpc.StatusCode.OK] * 2
    # Beyond the limit every one is refused, not some by chance.
    assert {await answered(12_000) for _ in range(20)} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert await answered(0) is grpc.StatusCode.OK


async def test_a_call_without_a_deadline_is_given_one_and_nobody_else_waits_with_it(
    fresh_shop: FreshShops, postgres: ProvisionedPostgres
) -> None:
    shop = await fresh_shop(settings={"customer": {"CALL_TIMEOUT_S": "0.3"}})
    held, other = await shop.make_customer(), await shop.make_customer()

    def edit(customer_id: str) -> customer_pb2.UpdateCustomerRequest:
        return customer_pb2.UpdateCustomerRequest(customer=customer_pb2.Customer(id=customer_id, phone="190"))

    admin = await asyncpg.connect(postgres.admin_dsn(shop.local.customer_dsn.rsplit("/", 1)[1]), timeout=10)
    try:
        async with admin.transaction():
            await admin.execute("SELECT FROM customers WHERE id = $1 FOR UPDATE", held.id)
            waiting = asyncio.ensure_future(code_and_reason(shop.customer.UpdateCustomer(edit(held.id))))
            # Who gives a deadline has the time that they gave: the database gives up before.
            patient = asyncio.ensure_future(
                code_and_reason(shop.customer.UpdateCustomer(edit(held.id), timeout=TIMEOUT_S))
            )
            assert (await shop.customer.UpdateCustomer(edit(other.id))).phone == "190"
            assert await waiting == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_MISSING")
            assert await patient == (grpc.StatusCode.UNAVAILABLE, "NOT_ACCEPTED")
    finally:
        await admin.close()


async def code_and_reason(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Await a call that must fail, and answer how."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), error_from_rpc(raised.value).reason


def test_grpc_knows_every_option_that_it_is_given() -> None:
    settings = CatalogSettings(
        postgres_user="u",
        postgres_password="p",  # type: ignore[arg-type]  # pydantic reads it.
        postgres_db="d",
        connection_age_max_s=1,
        connection_idle_max_s=1,
    )
    with open(cygrpc.__file__, "rb") as file:  # noqa: PTH123 - `__file__` is text.
        known = file.read()
    options = _options(settings, is_shared=False)
    assert [name for name, _ in options if name.encode() + b"\0" not in known] == []
