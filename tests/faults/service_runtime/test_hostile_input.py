"""Bytes, frames and habits that no honest client has: they hurt nobody else, and learn nothing of what is inside."""

import asyncio
import itertools
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf import timestamp_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.channels import open_channel
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.faults.answers import status_of
from tests.faults.stage import CALL_TIMEOUT_S, Stage
from tests.faults.waiting import eventually
from tests.support.memory import resident_bytes

MEGABYTE = 1024 * 1024
RESIDENT_GROWTH_MAX_BYTES = 100 * MEGABYTE
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING = 4, 6
EMPTY_SETTINGS = struct.pack(">I", 0)[1:] + bytes([SETTINGS, 0]) + bytes(4)
ONE_PING = struct.pack(">I", 8)[1:] + bytes([PING, 0]) + bytes(4) + b"12345678"
PINGS = 100_000
SLOW_CLIENTS = 100
HEARD_MAX_BYTES = 16 * MEGABYTE
CANCELLED_CALLS = 100_000
CALLS_AT_ONCE = 500

# What must never stand in an error: names from the code, the driver or the database.
INSIDE = ("Traceback", "Exception", "Error:", "asyncpg", "postgres", "protobuf", "DecodeError", "/", "<class", "\n")


def method_of(service: str, method: str) -> str:
    return f"/recordshop.{service}/{method}"


METHODS = [
    method_of("order.v1.OrderService", "CreateOrder"),
    method_of("order.v1.OrderService", "BatchCreateOrders"),
    method_of("order.v1.OrderService", "GetOrder"),
    method_of("order.v1.OrderService", "ListOrders"),
    method_of("order.v1.OrderService", "CancelOrder"),
]
# Each service of each process, by the process.
SERVICES = [
    (process, service)
    for process, module in (
        ("catalog", catalog_pb2),
        ("catalog", stock_pb2),
        ("customer", customer_pb2),
        ("order", order_pb2),
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]
every_service = pytest.mark.parametrize(("process", "service"), SERVICES, ids=[service.name for _, service in SERVICES])
STREAMS = [method_of("order.v1.OrderService", "PlaceOrders"), method_of("order.v1.OrderService", "AuditStock")]
TRUNCATED = b"\x0a\x7fabc"
GARBAGE = [b"\xff" * 50, TRUNCATED, b"\x0a\x02\xff\xfe", bytes(range(256)), b"\x0b" * 1_000]


async def refusal(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    for text in INSIDE:
        assert text not in (raised.value.details() or ""), raised.value.details()
    return raised.value


@pytest.fixture
async def unharmed(stage: Stage) -> Any:
    """Holds that the services are the same processes afterwards, hold no more connections, and sell as before."""
    disc = await stage.disc(stock=10)
    processes = [stage.catalog, stage.customer, stage.order]
    pids = [process.pid for process in processes]
    yield stage
    assert [process.pid for process in processes] == pids
    assert {process.exit_code for process in processes} == {None}
    assert status_of(await stage.place(f"after-{uuid4()}", {disc: 1})) == "CONFIRMED"
    for pool in (stage.books.catalog, stage.books.orders):
        busy = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE '%_service' AND state <> 'idle'"
        await eventually(lambda pool=pool, busy=busy: pool.fetchval(busy), lambda count: count == 0)
        held = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE '%_service' AND datname = current_database()"
        assert await pool.fetchval(held) <= 16
    await stage.promise_kept(disc)


@pytest.mark.parametrize("method", METHODS)
async def test_bytes_that_are_no_message_are_an_invalid_argument(unharmed: Stage, method: str) -> None:
    async with open_channel(unharmed.order.address) as channel:
        for garbage in GARBAGE:
            error = await refusal(channel.unary_unary(method)(garbage, timeout=CALL_TIMEOUT_S))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, (garbage, error)


async def test_a_stream_of_bytes_that_are_no_message_is_an_invalid_argument(unharmed: Stage) -> None:
    async with open_channel(unharmed.order.address) as channel:
        for garbage in (GARBAGE[0], TRUNCATED):
            stream = channel.stream_stream(STREAMS[0])(iter([garbage]), timeout=CALL_TIMEOUT_S)
            assert (await refusal(stream.read())).code() is grpc.StatusCode.INVALID_ARGUMENT
            audit = channel.unary_stream(STREAMS[1])(garbage, timeout=CALL_TIMEOUT_S)
            assert (await refusal(audit.read())).code() is grpc.StatusCode.INVALID_ARGUMENT


@every_service
async def test_no_method_of_any_service_takes_bytes_that_are_no_message(
    unharmed: Stage, process: str, service: ServiceDescriptor
) -> None:
    async with open_channel(getattr(unharmed, process).address) as channel:
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            for garbage in (GARBAGE[0], TRUNCATED):
                error = await refusal(asked(channel, method, path, garbage))
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, (path, garbage, error)


@every_service
async def test_no_service_takes_what_is_too_much_or_is_not_there(
    unharmed: Stage, process: str, service: ServiceDescriptor
) -> None:
    method = service.methods[0]
    path = f"/{service.full_name}/{method.name}"
    async with open_channel(getattr(unharmed, process).address) as channel:
        too_long = await refusal(asked(channel, method, path, b"\x1a" + b"\x80" * 10 * MEGABYTE))
        assert too_long.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        endless = [("endless", "x" * MEGABYTE)]
        assert (await refusal(asked(channel, method, path, b"", endless))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        unknown = channel.unary_unary(f"/{service.full_name}/DropTables")(b"", timeout=CALL_TIMEOUT_S)
        assert (await refusal(unknown)).code() is grpc.StatusCode.UNIMPLEMENTED


def asked(
    channel: grpc.aio.Channel,
    method: MethodDescriptor,
    path: str,
    message: bytes,
    metadata: Sequence[tuple[str, str]] = (),
) -> Awaitable[Any]:
    """The first answer to one message, whatever kind of call the method is."""
    if method.client_streaming:
        return channel.stream_stream(path)(iter([message]), metadata=metadata, timeout=CALL_TIMEOUT_S).read()
    if method.server_streaming:
        return channel.unary_stream(path)(message, metadata=metadata, timeout=CALL_TIMEOUT_S).read()
    return channel.unary_unary(path)(message, metadata=metadata, timeout=CALL_TIMEOUT_S)


async def test_another_types_message_is_an_invalid_argument(unharmed: Stage) -> None:
    others = [
        timestamp_pb2.Timestamp(seconds=2**62, nanos=-1),
        stock_pb2.AdjustStockRequest(disc_id=str(uuid4()), movement_id="m", delta=-5, reason="x" * 1_000),
        order_pb2.ListOrdersResponse(orders=[order_pb2.Order(id="x")] * 100),
    ]
    async with open_channel(unharmed.order.address) as channel:
        for message in others:
            call = channel.unary_unary(METHODS[0])(message.SerializeToString(), timeout=CALL_TIMEOUT_S)
            assert (await refusal(call)).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_of_10_megabytes_is_refused(unharmed: Stage) -> None:
    resident_before = resident_bytes(unharmed.order.pid)
    async with open_channel(unharmed.order.address) as channel:
        calls = [
            refusal(channel.unary_unary(METHODS[0])(b"\x1a" + b"\x80" * 10 * MEGABYTE, timeout=CALL_TIMEOUT_S))
            for _ in range(10)
        ]
        codes = {error.code() for error in await asyncio.gather(*calls)}
    assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert resident_bytes(unharmed.order.pid) - resident_before < RESIDENT_GROWTH_MAX_BYTES


async def test_endless_metadata_is_refused(unharmed: Stage) -> None:
    request = order_pb2.GetOrderRequest(id=str(uuid4())).SerializeToString()
    async with open_channel(unharmed.order.address) as channel:
        for metadata in ([("endless", "x" * MEGABYTE)], [(f"name-{n}", "x" * 100) for n in range(2_000)]):
            call = channel.unary_unary(METHODS[2])(request, metadata=metadata, timeout=CALL_TIMEOUT_S)
            assert (await refusal(call)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_method_that_is_not_there_is_unimplemented(unharmed: Stage) -> None:
    async with open_channel(unharmed.order.address) as channel:
        for method in (method_of("order.v1.OrderService", "DropTables"), "/no.such.Service/Method", "/", "//"):
            call = channel.unary_unary(method)(b"", timeout=CALL_TIMEOUT_S)
            assert (await refusal(call)).code() is grpc.StatusCode.UNIMPLEMENTED


@asynccontextmanager
async def connection(stage: Stage) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Bytes to and from the order service, past every client library."""
    host, port = stage.order.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=HEARD_MAX_BYTES)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_clients_who_never_finish_what_they_say_hold_up_nobody(unharmed: Stage) -> None:
    disc = await unharmed.disc(stock=5)
    beginnings = [b"", PREFACE[:10], PREFACE, PREFACE + EMPTY_SETTINGS, PREFACE + EMPTY_SETTINGS + b"\0\0\xff\x01\x04"]
    async with AsyncExitStack() as stack:
        for number in range(SLOW_CLIENTS):
            _, writer = await stack.enter_async_context(connection(unharmed))
            writer.write(beginnings[number % len(beginnings)])
            await writer.drain()
        assert status_of(await unharmed.place(f"beside-{uuid4()}", {disc: 1})) == "CONFIRMED"


async def test_a_flood_of_pings_ends_its_connection_and_hurts_nobody(unharmed: Stage) -> None:
    disc = await unharmed.disc(stock=5)
    async with connection(unharmed) as (reader, writer):
        # It is told to go away, or cut off, whatever comes first.
        heard = asyncio.create_task(reader.readuntil(b"too_many_pings"))
        with suppress(ConnectionError):
            writer.write(PREFACE + EMPTY_SETTINGS)
            for _ in range(PINGS // 1_000):
                writer.write(ONE_PING * 1_000)
                await writer.drain()
        assert status_of(await unharmed.place(f"beside-{uuid4()}", {disc: 1})) == "CONFIRMED"
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await heard


async def test_calls_cancelled_by_the_hundred_thousand_leave_nothing_behind(unharmed: Stage) -> None:
    disc = await unharmed.disc(stock=CANCELLED_CALLS)
    async with open_channel(unharmed.order.address) as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)
        read: Callable[..., Any] = stub.GetOrder
        order_id, resident_before = str(uuid4()), 0
        codes: Counter[grpc.StatusCode] = Counter()
        for turn in itertools.count():
            if codes[grpc.StatusCode.CANCELLED] >= CANCELLED_CALLS:
                break
            calls = [read(order_pb2.GetOrderRequest(id=order_id), timeout=CALL_TIMEOUT_S) for _ in range(CALLS_AT_ONCE)]
            if turn % 15 == 0:
                calls.append(stub.CreateOrder(unharmed.request(f"gone-{uuid4()}", {disc: 1}), timeout=CALL_TIMEOUT_S))
            # Half of them are cancelled before they have left, the others while they are being served.
            if turn % 2:
                await calls[0].code()
            else:
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            codes.update(await asyncio.gather(*(call.code() for call in calls)))
            if turn == 20:
                resident_before = resident_bytes(unharmed.order.pid)
    # Some were answered before the word came that they need not be.
    assert codes.keys() <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OK}, codes
    assert resident_bytes(unharmed.order.pid) - resident_before < RESIDENT_GROWTH_MAX_BYTES
    await unharmed.promise_kept(disc)
