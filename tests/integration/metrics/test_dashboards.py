"""The dashboards and alerts on a running shop: every query finds what the services tell, and a healthy shop is left in peace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from local_shop.shop import SERVICES
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.metrics.readings import series, text_of, url_of
from tests.integration.order_desk import OrderDesk, order_request
from tests.integration.stock_room import new_id
from tests.opened_shop import OpenedShop
from tests.support.observability import PROMETHEUS_OWN, PanelQuery, panel_queries
from tests.support.prometheus import Prometheus, prometheus
from tests.support.promql import metrics_of

CALL_TIMEOUT_S = 30.0
FILLED_TIMEOUT_S = 90.0
LOAD_TIMEOUT_S = 150.0


@dataclass(frozen=True)
class WatchedShop:
    """A shop, and the Prometheus that scrapes it."""

    shop: OpenedShop
    prometheus: Prometheus


@pytest.fixture(scope="module")
async def watched(postgres: ProvisionedPostgres) -> AsyncIterator[WatchedShop]:
    """A shop with metrics and a Prometheus of its own, for this module's tests."""
    async with AsyncExitStack() as stack:
        shop = await FreshShops(postgres, stack)(metrics=True)
        targets = {service: urlsplit(url_of(shop, service)).netloc for service in SERVICES}
        server = stack.enter_context(prometheus(postgres.folder / f"prometheus-{new_id()}", targets))
        yield WatchedShop(shop, server)


async def refused(call: "grpc.aio.UnaryUnaryCall[object, object]") -> None:
    """Await a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError):
        await call


@asynccontextmanager
async def load_on(shop: OpenedShop) -> AsyncIterator[None]:
    """Buy, be refused, buy in batches and to be decided later, cancel and audit, over and over, for as long as the block runs."""
    customer, inactive = await shop.make_customer(), await shop.make_customer()
    edit = customer_pb2.UpdateCustomerRequest(
        customer=customer_pb2.Customer(id=inactive.id, active=False), update_mask=FieldMask(paths=["active"])
    )
    await shop.customer.UpdateCustomer(edit, timeout=CALL_TIMEOUT_S)
    disc, sold_out = await shop.make_disc(stock=1_000_000), await shop.make_disc(stock=0)
    done = asyncio.Event()

    async def buy() -> None:
        desk = OrderDesk(shop.order)
        while not done.is_set():
            orders = await asyncio.gather(*(desk.create(customer.id, {disc.id: 1}) for _ in range(5)))
            await refused(shop.order.CreateOrder(order_request(customer.id, {sold_out.id: 1}), timeout=CALL_TIMEOUT_S))
            await refused(shop.order.CreateOrder(order_request(inactive.id, {disc.id: 1}), timeout=CALL_TIMEOUT_S))
            await refused(shop.order.GetOrder(order_pb2.GetOrderRequest(id="no id"), timeout=CALL_TIMEOUT_S))
            await desk.batch([order_request(customer.id, {disc.id: 1}) for _ in range(5)])
            await desk.create(customer.id, {disc.id: 1, (await shop.make_disc()).id: 1})
            for mode in (order_pb2.ORDER_MODE_ASYNC, order_pb2.ORDER_MODE_HYBRID):
                later = order_request(customer.id, {disc.id: 1})
                later.mode = mode
                await shop.order.CreateOrder(later, timeout=CALL_TIMEOUT_S)
            await desk.cancel(orders[0].id)
            await desk.audit()

    async with asyncio.timeout(LOAD_TIMEOUT_S), asyncio.TaskGroup() as group:
        group.create_task(buy())
        try:
            yield
        finally:
            done.set()


async def test_every_query_names_metrics_that_the_running_services_tell(watched: WatchedShop) -> None:
    told = set(PROMETHEUS_OWN)
    async with load_on(watched.shop):
        await OrderDesk(watched.shop.order).audit()
    for service in SERVICES:
        told |= {line.partition("{")[0] for line in series(await text_of(watched.shop, service))}
    unknown = {str(query): lost for query in panel_queries() if (lost := metrics_of(query.expression) - told)}
    assert unknown == {}


async def test_every_panel_is_filled_by_a_shop_under_load_and_no_alert_fires(watched: WatchedShop) -> None:
    async def empty() -> list[PanelQuery]:
        queries = panel_queries()
        answers = [await asyncio.to_thread(watched.prometheus.query, query.expression) for query in queries]
        return [query for query, answer in zip(queries, answers, strict=True) if not answer]

    async with load_on(watched.shop):
        await eventually(empty, lambda found: not found, timeout_s=FILLED_TIMEOUT_S)
        rules = await asyncio.to_thread(watched.prometheus.rules)
    assert {rule["name"]: (rule["health"], rule["state"]) for rule in rules} == {
        rule["name"]: ("ok", "inactive") for rule in rules
    }
    assert len(rules) > 0
    assert await asyncio.to_thread(watched.prometheus.alerts) == {}


async def test_an_audit_that_disagrees_raises_its_alert_until_one_agrees(
    watched: WatchedShop, postgres: ProvisionedPostgres
) -> None:
    desk, disc = OrderDesk(watched.shop.order), await watched.shop.make_disc()
    database = urlsplit(watched.shop.local.catalog_dsn).path.lstrip("/")

    async def alerts() -> dict[str, str]:
        return await asyncio.to_thread(watched.prometheus.alerts)

    admin = await asyncpg.connect(postgres.admin_dsn(database))
    try:
        await admin.execute("UPDATE discs SET stock = stock + 1 WHERE id = $1", disc.id)
        await desk.audit()
        await eventually(alerts, lambda found: found == {"AuditDisagreement": "firing"})
        await admin.execute("UPDATE discs SET stock = stock - 1 WHERE id = $1", disc.id)
        await desk.audit()
        await eventually(alerts, lambda found: found == {})
    finally:
        await admin.close()
