"""One port for all workers: their sum, also when one of them has been killed."""

import asyncio
import os
import signal
from collections import Counter

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.listening import children
from recordshop.channels import open_channel
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.conftest import FreshShops
from tests.integration.metrics.readings import scraped, when
from tests.integration.order_desk import order_request
from tests.opened_shop import OpenedShop

WORKERS = 3
CONNECTIONS = 12
CALL_TIMEOUT_S = 30.0
CREATE = {"grpc_method": "CreateOrder"}


async def sold(shop: OpenedShop, disc_id: str, customer_id: str) -> int:
    """Place orders over connections of their own, which the workers share among themselves; return how many were confirmed."""

    async def buy() -> bool:
        async with open_channel(shop.local.order_addr) as channel:
            stub = order_pb2_grpc.OrderServiceStub(channel)
            request = order_request(customer_id, {disc_id: 1})
            for _ in range(3):
                try:
                    await stub.CreateOrder(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                else:
                    return True
            return False

    return Counter(await asyncio.gather(*(buy() for _ in range(CONNECTIONS))))[True]


async def test_one_port_tells_the_sum_and_a_killed_worker_takes_nothing_of_it_along(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(metrics=True, settings={"order": {"WORKERS": str(WORKERS)}})
    customer, disc = await shop.make_customer(), await shop.make_disc(stock=1_000)
    first = await sold(shop, disc.id, customer.id)
    before = await when(shop, lambda seen: seen.total("recordshop_workers") == WORKERS)
    assert before.total("recordshop_orders_total", outcome="confirmed") == first == CONNECTIONS
    assert before.total("grpc_server_handled_total", **CREATE, grpc_code="OK") == first
    assert before.total("recordshop_group_size_sum", lane="singles") == first
    assert before.total("recordshop_database_pool_connections_max") == WORKERS * 16
    assert before.total("recordshop_serving") == 1

    killed = children(shop.local.order.pid)[0]
    os.kill(killed, signal.SIGKILL)
    after = await when(shop, lambda seen: seen.total("recordshop_worker_deaths_total") == 1)
    for name, samples in before.samples.items():
        if name.endswith(("_total", "_count", "_sum", "_bucket")):
            for labels, value in samples:
                assert after.total(name, **labels) >= value, f"{name}{labels} fell back"
    assert after.total("recordshop_orders_total", outcome="confirmed") == first
    assert after.total("recordshop_calls_in_flight", **CREATE) == 0

    back = await when(shop, lambda seen: seen.total("recordshop_workers") == WORKERS)
    assert killed not in children(shop.local.order.pid)
    assert back.total("recordshop_database_pool_connections_max") == WORKERS * 16
    second = await sold(shop, disc.id, customer.id)
    assert second == CONNECTIONS
    assert (await scraped(shop)).total("recordshop_orders_total", outcome="confirmed") == first + second


async def test_what_killed_workers_had_under_way_is_under_way_no_more(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(metrics=True, settings={"order": {"WORKERS": "2"}})
    watch = {"grpc_method": "Watch", "grpc_service": "grpc.health.v1.Health"}
    async with open_channel(shop.local.order_addr) as channel:
        call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=CALL_TIMEOUT_S)
        await call.read()
        await when(shop, lambda seen: seen.total("recordshop_calls_in_flight", **watch) == 1)
        for worker in children(shop.local.order.pid):
            os.kill(worker, signal.SIGKILL)
        after = await when(shop, lambda seen: seen.total("recordshop_worker_deaths_total") == 2)
    assert after.total("recordshop_calls_in_flight", **watch) == 0


async def test_an_audit_of_one_worker_counts_for_all(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(metrics=True, settings={"order": {"WORKERS": "2"}})
    times = []
    for _ in range(4):
        async with open_channel(shop.local.order_addr) as channel:
            stub = order_pb2_grpc.OrderServiceStub(channel)
            assert [disc async for disc in stub.AuditStock(order_pb2.AuditStockRequest(), timeout=CALL_TIMEOUT_S)]
        times.append((await scraped(shop)).total("recordshop_audit_last_timestamp_seconds"))
    assert times == sorted(set(times))
