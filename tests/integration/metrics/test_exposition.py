"""What running services tell Prometheus: all that the page names, in closed sets, nothing personal, at any time."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from local_shop.errors import PortTaken
from local_shop.shop import SERVICES
from recordshop.channels import open_channel
from recordshop.customer.v1 import customer_pb2
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.integration.metrics.readings import (
    documented,
    families,
    label_names,
    scraped,
    series,
    text_of,
    url_of,
    when,
)
from tests.integration.order_desk import OrderDesk, order_request
from tests.integration.stock_room import new_id
from tests.opened_shop import OpenedShop
from tests.support.debian_server import debian_program

CREATE = {"grpc_method": "CreateOrder"}
CALL_TIMEOUT_S = 30.0
STATUSES = """
SELECT lower(coalesce(reason, status)) AS outcome, count(*), sum((SELECT sum(n) FROM unnest(quantities) AS n))::bigint AS copies
FROM orders GROUP BY 1
"""


@pytest.fixture(scope="module")
async def metered(postgres: ProvisionedPostgres) -> AsyncIterator[OpenedShop]:
    """A shop with metrics for one module's tests."""
    async with AsyncExitStack() as stack:
        yield await FreshShops(postgres, stack)(metrics=True)


async def outcome_of(call: "asyncio.Future[object] | grpc.aio.UnaryUnaryCall[object, object]") -> str:
    """OK, or the name of the call's error."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_counters_equal_what_the_database_holds_after_a_mixed_load(metered: OpenedShop) -> None:
    desk = OrderDesk(metered.order)
    disc, short = await metered.make_disc(stock=100), await metered.make_disc(stock=3)
    buyer, inactive = await metered.make_customer(), await metered.make_customer()
    edit = customer_pb2.UpdateCustomerRequest(
        customer=customer_pb2.Customer(id=inactive.id, active=False), update_mask=FieldMask(paths=["active"])
    )
    await metered.customer.UpdateCustomer(edit, timeout=CALL_TIMEOUT_S)
    requests = [
        *[order_request(buyer.id, {disc.id: 1 + number % 2}) for number in range(20)],
        *[order_request(buyer.id, {short.id: 1}) for _ in range(10)],
        *[order_request(buyer.id, {new_id(): 1}) for _ in range(2)],
        *[order_request(inactive.id, {disc.id: 1}) for _ in range(3)],
        *[order_request(new_id(), {disc.id: 1}) for _ in range(2)],
    ]
    outcomes = []
    # Each twice, one after the other: a replay is no second order.
    for _ in range(2):
        calls = [desk.stub.CreateOrder(request, timeout=CALL_TIMEOUT_S) for request in requests]
        outcomes += await asyncio.gather(*map(outcome_of, calls))
    batch = await desk.batch([order_request(buyer.id, {disc.id: 1}) for _ in range(5)])
    assert [result.HasField("order") for result in batch] == [True] * 5
    cancelled = await desk.create(buyer.id, {disc.id: 2})
    await desk.cancel(cancelled.id)
    connection = await asyncpg.connect(metered.local.order_dsn)
    try:
        rows = {row["outcome"]: row for row in await connection.fetch(STATUSES)}
    finally:
        await connection.close()
    seen = await scraped(metered)
    told = {name: seen.total("recordshop_orders_total", outcome=name) for name in ("out_of_stock", "disc_not_found")}
    assert told == {name: rows[name]["count"] for name in told}
    assert seen.total("recordshop_orders_total", outcome="customer_inactive") == rows["customer_inactive"]["count"]
    assert seen.total("recordshop_orders_total", outcome="cancelled") == rows["cancelled"]["count"] == 1
    # The cancelled one was confirmed before.
    assert seen.total("recordshop_orders_total", outcome="confirmed") == rows["confirmed"]["count"] + 1
    assert seen.total("recordshop_copies_sold_total") == rows["confirmed"]["copies"] + 2
    assert seen.total("recordshop_orders_total", outcome="customer_not_found") == 4
    assert seen.total("grpc_server_started_total", **CREATE) == len(requests) * 2 + 1
    for code in set(outcomes):
        expected = outcomes.count(code) + (code == "OK")
        assert seen.total("grpc_server_handled_total", **CREATE, grpc_code=code) == expected
    assert seen.total("grpc_server_handling_seconds_count", **CREATE) == len(requests) * 2 + 1
    assert seen.total("recordshop_calls_in_flight", **CREATE) == 0
    catalog = await scraped(metered, "catalog")
    assert catalog.total("recordshop_reservations_total", outcome="reserved") == rows["confirmed"]["count"] + 1
    assert catalog.total("recordshop_reservations_total", outcome="out_of_stock") == rows["out_of_stock"]["count"]
    assert catalog.total("recordshop_sold_out_refusals_total") == rows["out_of_stock"]["count"]


async def test_nothing_personal_and_no_id_is_told(metered: OpenedShop) -> None:
    customer = await metered.make_customer(name="Zacharias Unmistakable")
    disc = await metered.make_disc(stock=1)
    order = await OrderDesk(metered.order).create(customer.id, {disc.id: 1})
    await outcome_of(metered.order.CreateOrder(order_request(customer.id, {disc.id: 1}), timeout=CALL_TIMEOUT_S))
    await metered.customer.GetCustomer(customer_pb2.GetCustomerRequest(id=customer.id), timeout=CALL_TIMEOUT_S)
    secrets = (customer.name, customer.document, customer.email, customer.phone, customer.id)
    for service in SERVICES:
        text = await text_of(metered, service)
        for secret in (*secrets, disc.id, disc.name, order.id, order.request_id):
            assert secret not in text


async def test_all_that_is_told_is_on_the_page_with_its_labels_and_the_page_names_nothing_else(
    metered: OpenedShop,
) -> None:
    told: dict[str, set[str]] = {}
    for service in SERVICES:
        text = await text_of(metered, service)
        assert set(families(text)) == set(label_names(text)), "each metric has samples"
        for name, labels in label_names(text).items():
            told.setdefault(name, set()).update(labels)
    del told["python_info"]
    assert told == documented()


@pytest.mark.parametrize("service", SERVICES)
async def test_methods_that_do_not_exist_make_no_series(metered: OpenedShop, service: str) -> None:
    before = series(await text_of(metered, service))
    counted = (await scraped(metered, service)).total("grpc_server_handled_total", grpc_method="unknown")
    names = [f"/evil.{number}{'x' * 200}/Method{number}" for number in range(20)]
    names += ['/recordshop.order.v1.OrderService/Create"Order', "//", "/a/b/c", "/unknown/unknown", "/x/GetOrder"]
    async with open_channel(getattr(metered.local, f"{service}_addr")) as channel:
        for name in names:
            assert await outcome_of(channel.unary_unary(name)(b"", timeout=CALL_TIMEOUT_S)) == "UNIMPLEMENTED"
    after = series(await text_of(metered, service))
    assert {line for line in after - before if "UNIMPLEMENTED" not in line and "_handling_seconds" not in line} == set()
    assert {line for line in after - before if 'grpc_method="unknown"' not in line} == set()
    seen = await scraped(metered, service)
    assert seen.total("grpc_server_handled_total", grpc_code="UNIMPLEMENTED") == counted + len(names)


async def test_a_client_that_says_nothing_holds_up_neither_calls_nor_other_scrapes(metered: OpenedShop) -> None:
    customer, disc = await metered.make_customer(), await metered.make_disc()
    address = urlsplit(url_of(metered, "order"))
    with closing(socket.create_connection((address.hostname, address.port))) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        orders = [OrderDesk(metered.order).create(customer.id, {disc.id: 1}) for _ in range(20)]
        scrapes = [scraped(metered) for _ in range(8)]
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await asyncio.gather(*orders, *scrapes)


async def test_an_audit_tells_what_it_found_until_a_later_one_of_all_discs(
    metered: OpenedShop, postgres: ProvisionedPostgres
) -> None:
    desk = OrderDesk(metered.order)
    disc = await metered.make_disc()
    await desk.audit()
    assert (first := await scraped(metered)).total("recordshop_audit_disagreeing_discs") == 0
    assert first.total("recordshop_audit_last_timestamp_seconds") > 0
    database = urlsplit(metered.local.catalog_dsn).path.lstrip("/")
    admin = await asyncpg.connect(postgres.admin_dsn(database))
    try:
        await admin.execute("UPDATE discs SET stock = stock + 1 WHERE id = $1", disc.id)
        await desk.audit(disc.id)
        found = await scraped(metered)
        assert found.total("recordshop_audit_disagreeing_discs") == 1
        other = await metered.make_disc()
        await desk.audit(other.id)
        assert (await scraped(metered)).total("recordshop_audit_disagreeing_discs") == 1
        await admin.execute("UPDATE discs SET stock = stock - 1 WHERE id = $1", disc.id)
    finally:
        await admin.close()
    await desk.audit()
    assert (await scraped(metered)).total("recordshop_audit_disagreeing_discs") == 0


async def test_prometheus_own_check_has_nothing_to_say(metered: OpenedShop) -> None:
    promtool = debian_program("promtool", package="prometheus")
    for service in SERVICES:
        checked = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile.
            [promtool, "check", "metrics"],
            input=await text_of(metered, service),
            capture_output=True,
            text=True,
            timeout=CALL_TIMEOUT_S,
            check=False,
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_metrics_are_answered_while_the_service_drains(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(metrics=True, settings={"order": {"CATALOG_TIMEOUT_S": "60", "GROUP_TIMEOUT_S": "60"}})
    customer, disc = await shop.make_customer(), await shop.make_disc()
    assert (await when(shop, lambda seen: seen.total("recordshop_serving") == 1)).total("recordshop_workers") == 1
    # So that there is a connection to the catalog: to a frozen process none can be opened.
    await OrderDesk(shop.order).create(customer.id, {disc.id: 1})
    shop.local.catalog.pause()
    order = asyncio.ensure_future(OrderDesk(shop.order).create(customer.id, {disc.id: 1}))
    await when(shop, lambda seen: seen.total("recordshop_calls_in_flight", **CREATE) == 1)
    os.kill(shop.local.order.pid, signal.SIGTERM)
    draining = await when(shop, lambda seen: seen.total("recordshop_serving") == 0)
    assert draining.total("recordshop_calls_in_flight", **CREATE) == 1
    shop.local.catalog.resume()
    assert (await order).lines[0].quantity == 1
    assert shop.local.order.terminate() == 0


async def test_the_age_of_the_oldest_open_order_grows_while_nobody_can_end_it(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(metrics=True, settings={"order": {"CATALOG_TIMEOUT_S": "0.5", "GROUP_TIMEOUT_S": "0.5"}})
    customer, disc = await shop.make_customer(), await shop.make_disc()
    shop.local.catalog.pause()
    order = asyncio.ensure_future(outcome_of(OrderDesk(shop.order).create(customer.id, {disc.id: 1})))  # type: ignore[arg-type]
    aged = await when(shop, lambda seen: seen.total("recordshop_oldest_open_order_age_seconds") > 1.0)
    assert aged.total("recordshop_open_work_rows") == 1
    assert await order == "UNAVAILABLE"
    await when(shop, lambda seen: seen.total("recordshop_recovery_still_open_total") >= 1)
    shop.local.catalog.resume()
    calm = await when(shop, lambda seen: seen.total("recordshop_oldest_open_order_age_seconds") == 0)
    assert calm.total("recordshop_open_work_rows") == 0
    assert calm.total("recordshop_orders_total", outcome="pending") == 1
    assert calm.total("recordshop_orders_total", outcome="confirmed") == 1
    assert calm.total("recordshop_recovered_orders_total") == 1
    assert calm.total("recordshop_recovery_runs_total", result="worked") >= 1


async def test_a_port_in_use_is_an_error_at_the_start(fresh_shop: FreshShops) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(PortTaken, match="customer_service cannot listen"):
            await fresh_shop(settings={"customer": {"METRICS_PORT": port}})


async def test_without_a_port_there_are_no_metrics(shop: OpenedShop) -> None:
    assert shop.local.order_metrics_url == ""
