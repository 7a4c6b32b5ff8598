"""One order, one trace: from its caller over groups and neighbours to the statements."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from secrets import token_hex

import asyncpg
import grpc
import pytest
from opentelemetry import trace

from recordshop.client import OutOfStock, RecordShop
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.order_desk import order_request
from tests.integration.order_service.conftest import database_of
from tests.opened_shop import OpenedShop, random_cpf
from tests.support.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver

TIMEOUT_S = 10.0
ORDERS = "recordshop.order.v1.OrderService"
CREATE_ORDER = f"{ORDERS}/CreateOrder"
GROUP = "group commit"
CUSTOMERS = "recordshop.customer.v1.CustomerService/BatchGetCustomers"
RESERVE = "recordshop.catalog.v1.StockService/BatchReserveStock"
# What one order does, in whose name, and for what; statements are named by what they do.
TREE = {
    ("recordshop-order", "SERVER", CREATE_ORDER): None,
    ("recordshop-order", "INTERNAL", GROUP): CREATE_ORDER,
    ("recordshop-order", "CLIENT", CUSTOMERS): GROUP,
    ("recordshop-customer", "SERVER", CUSTOMERS): CUSTOMERS,
    ("recordshop-customer", "CLIENT", "SELECT customers"): CUSTOMERS,
    ("recordshop-order", "CLIENT", "INSERT orders, INSERT open_work"): GROUP,
    ("recordshop-order", "CLIENT", RESERVE): GROUP,
    ("recordshop-catalog", "SERVER", RESERVE): RESERVE,
    ("recordshop-catalog", "INTERNAL", GROUP): RESERVE,
    ("recordshop-catalog", "CLIENT", "SELECT reserve_stock"): GROUP,
    ("recordshop-order", "CLIENT", "UPDATE orders, DELETE open_work"): GROUP,
}


@dataclass(frozen=True)
class TracedShop:
    """A shop whose services all trace, where its spans arrive, and the superuser in its orders."""

    shop: OpenedShop
    receiver: OtlpReceiver
    order_admin: asyncpg.Connection


@dataclass(frozen=True)
class Caller:
    """A caller with a span of its own."""

    trace_id: str
    span_id: str

    def metadata(self, flags: str = "01") -> tuple[tuple[str, str], ...]:
        """What the caller sends along."""
        return (("traceparent", f"00-{self.trace_id}-{self.span_id}-{flags}"),)


def new_caller() -> Caller:
    return Caller(token_hex(16), token_hex(8))


@pytest.fixture(scope="module")
async def traced(postgres: ProvisionedPostgres) -> AsyncIterator[TracedShop]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(otlp_receiver())
        settings = dict.fromkeys(("catalog", "customer", "order"), receiver.environment)
        shop = await FreshShops(postgres, stack)(settings=settings)
        admin = await asyncpg.connect(postgres.admin_dsn(database_of(shop.local.order_dsn)), timeout=TIMEOUT_S)
        stack.push_async_callback(admin.close)
        yield TracedShop(shop, receiver, admin)


def names(spans: Iterable[ReceivedSpan]) -> set[tuple[str, str, str]]:
    return {(span.service, span.kind, span.name) for span in spans}


def servers(spans: Iterable[ReceivedSpan], name: str = CREATE_ORDER) -> list[ReceivedSpan]:
    return [span for span in spans if (span.kind, span.name) == ("SERVER", name)]


def groups(spans: Iterable[ReceivedSpan]) -> list[ReceivedSpan]:
    return [span for span in spans if (span.service, span.name) == ("recordshop-order", GROUP)]


async def test_one_order_is_one_trace_from_its_caller_to_the_statements(traced: TracedShop) -> None:
    disc, customer, caller = await traced.shop.make_disc(), await traced.shop.make_customer(), new_caller()
    order = await traced.shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=caller.metadata()
    )
    spans = await traced.receiver.trace(caller.trace_id, is_whole=lambda spans: names(spans) >= TREE.keys())
    by_id = {span.span_id: span for span in spans}
    for key, parent_name in TREE.items():
        span = next(span for span in spans if (span.service, span.kind, span.name) == key)
        if parent_name is None:
            assert span.parent_id == caller.span_id
        else:
            assert by_id[span.parent_id].name == parent_name, key
    assert not [span for span in spans if span.is_error]
    [server], [group] = servers(spans), groups(spans)
    assert server.attributes["recordshop.order_id"] == order.id
    assert server.attributes["rpc.grpc.status_code"] == 0
    assert (server.links, group.links) == ({group.ids}, {server.ids})
    assert group.attributes["recordshop.group.size"] == 1


async def test_orders_of_one_group_share_its_span_and_are_linked_with_it_both_ways(traced: TracedShop) -> None:
    shop = traced.shop
    disc, customer = await shop.make_disc(stock=50), await shop.make_customer()
    callers = [new_caller() for _ in range(6)]
    calls = []
    pending = "SELECT count(*) FROM orders WHERE status = 'PENDING'"
    shop.local.catalog.pause()
    try:
        for number, caller in enumerate(callers):
            call = shop.order.CreateOrder(
                order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=caller.metadata()
            )
            calls.append(asyncio.ensure_future(call.__await__() and call.code()))
            if number == 0:
                # The first one is under way alone, and the others, for the same disc, must wait for it.
                await eventually(lambda: traced.order_admin.fetchval(pending), lambda count: count == 1)
        # It came last, and is answered: the others have come.
        await shop.order.ListOrders(order_pb2.ListOrdersRequest(), timeout=TIMEOUT_S)
    finally:
        shop.local.catalog.resume()
    assert set(await asyncio.gather(*calls)) == {grpc.StatusCode.OK}
    waiting = {caller.trace_id for caller in callers[1:]}
    spans = await traced.receiver.until(
        lambda spans: (
            len([span for span in servers(spans) if span.trace_id in waiting]) == len(waiting)
            and any(span.attributes["recordshop.group.size"] == len(waiting) for span in groups(spans))
        )
    )
    members = {span.ids: span for span in servers(spans) if span.trace_id in waiting}
    [group] = [span for span in groups(spans) if span.attributes["recordshop.group.size"] == len(waiting)]
    assert group.links == members.keys()
    assert [member.links for member in members.values()] == [{group.ids}] * len(waiting)
    # Its work is in the trace of one of them, once for all.
    assert group.parent_id in {span_id for _, span_id in members}
    whole = await traced.receiver.trace(group.trace_id, is_whole=lambda spans: names(spans) >= TREE.keys())
    work = [span.name for span in whole if span.parent_id == group.span_id]
    steps = [name for (who, _, name), parent in TREE.items() if (who, parent) == ("recordshop-order", GROUP)]
    assert sorted(work) == sorted(steps)


async def test_a_refusal_tells_its_reason_and_is_no_error(traced: TracedShop) -> None:
    disc, customer, caller = await traced.shop.make_disc(stock=0), await traced.shop.make_customer(), new_caller()
    call = traced.shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=caller.metadata()
    )
    assert await call.code() is grpc.StatusCode.FAILED_PRECONDITION
    [server] = servers(await traced.receiver.trace(caller.trace_id, is_whole=lambda spans: bool(servers(spans))))
    assert (server.attributes["recordshop.reason"], server.attributes["rpc.grpc.status_code"]) == ("OUT_OF_STOCK", 9)
    assert not server.is_error


async def test_the_client_tells_the_services_of_its_span(traced: TracedShop) -> None:
    disc, customer, caller = await traced.shop.make_disc(stock=1), await traced.shop.make_customer(), new_caller()
    context = trace.SpanContext(
        int(caller.trace_id, 16), int(caller.span_id, 16), is_remote=False, trace_flags=trace.TraceFlags(1)
    )
    async with RecordShop(order=traced.shop.local.order_addr) as shop:
        with trace.use_span(trace.NonRecordingSpan(context)):
            await shop.create_order(customer.id, {disc.id: 1})
            with pytest.raises(OutOfStock):
                await shop.create_order(customer.id, {disc.id: 1})
    spans = await traced.receiver.trace(caller.trace_id, is_whole=lambda spans: len(servers(spans)) == 2)
    assert {span.parent_id for span in servers(spans)} == {caller.span_id}


async def test_the_orders_of_a_batch_are_one_call_and_the_copy_is_seen_to_its_commit(traced: TracedShop) -> None:
    disc, customer, caller = await traced.shop.make_disc(stock=1_000), await traced.shop.make_customer(), new_caller()
    batch = order_pb2.BatchCreateOrdersRequest(requests=[order_request(customer.id, {disc.id: 1}) for _ in range(300)])
    await traced.shop.order.BatchCreateOrders(batch, timeout=TIMEOUT_S, metadata=caller.metadata())
    statements = {"BEGIN", "COPY orders", "INSERT open_work", "COMMIT"}
    spans = await traced.receiver.trace(
        caller.trace_id, is_whole=lambda spans: bool(servers(spans, f"{ORDERS}/BatchCreateOrders"))
    )
    assert statements <= {span.name for span in spans}
    [server], [group] = servers(spans, f"{ORDERS}/BatchCreateOrders"), groups(spans)
    assert (group.links, group.attributes["recordshop.group.size"]) == ({server.ids}, 300)


async def test_a_caller_who_does_not_sample_is_not_traced_by_anybody(traced: TracedShop) -> None:
    disc, customer, caller = await traced.shop.make_disc(), await traced.shop.make_customer(), new_caller()
    request = order_request(customer.id, {disc.id: 1})
    before = {span.ids for span in traced.receiver.spans}
    await traced.shop.order.CreateOrder(request, timeout=TIMEOUT_S, metadata=caller.metadata("00"))
    # Whoever sends spans sends them in their order: what comes after it is there, so it would be too.
    seen = new_caller()
    await traced.shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=seen.metadata()
    )
    await traced.receiver.trace(seen.trace_id, is_whole=lambda spans: names(spans) >= TREE.keys())
    strange = [span for span in traced.receiver.spans if span.ids not in before and span.trace_id != seen.trace_id]
    assert [span for span in strange if span.name in {CREATE_ORDER, GROUP, CUSTOMERS, RESERVE}] == []


async def test_no_span_holds_a_persons_data(traced: TracedShop) -> None:
    shop, mark = traced.shop, token_hex(8)
    person = {
        "name": f"Ana {mark}",
        "document": random_cpf(),
        "email": f"ana@{mark}.example",
        "phone": "+55 11 97777-0199",
    }
    customer, caller = await shop.make_customer(**person), new_caller()
    disc = await shop.make_disc()
    for request in (
        customer_pb2.CreateCustomerRequest(customer=customer_pb2.Customer(**person, birth_date="1990-12-31")),
        customer_pb2.CreateCustomerRequest(customer=customer_pb2.Customer(**{**person, "phone": mark})),
    ):
        call = shop.customer.CreateCustomer(request, timeout=TIMEOUT_S, metadata=caller.metadata())
        assert await call.code() is not grpc.StatusCode.OK
    listing = customer_pb2.ListCustomersRequest(document=person["document"], email=person["email"])
    await shop.customer.ListCustomers(listing, timeout=TIMEOUT_S, metadata=caller.metadata())
    await shop.order.CreateOrder(
        order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, metadata=caller.metadata()
    )
    await traced.receiver.trace(caller.trace_id, is_whole=lambda spans: names(spans) >= TREE.keys())
    secrets = [mark, person["document"], person["phone"], person["document"][3:9]]
    sent = b"".join(traced.receiver.requests)
    assert CREATE_ORDER.encode() in sent
    assert [secret for secret in secrets if secret.encode() in sent] == []
