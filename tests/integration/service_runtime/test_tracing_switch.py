"""Tracing is off unless an endpoint is named; and a collector that is away, or hangs, hurts nobody."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from local_shop.ports import free_port
from recordshop.catalog.v1 import catalog_pb2
from service_runtime.otel.exporting import FLUSH_TIMEOUT_S
from tests.conftest import FreshShops
from tests.faults.waiting import eventually
from tests.integration.order_desk import order_request
from tests.opened_shop import OpenedShop
from tests.support.otlp_receiver import otlp_receiver

TIMEOUT_S = 10.0
CREATE_ORDER = "recordshop.order.v1.OrderService/CreateOrder"
TRACEPARENT = (("traceparent", f"00-{'5a' * 16}-{'c3' * 8}-01"),)
SERVICES = ("catalog", "customer", "order")
# Runs the order service, and at its end writes down what it had imported.
TELLING = """
import atexit, os, sys
atexit.register(lambda: open(os.environ["MODULES_FILE"], "w").write("\\n".join(sys.modules)))
from order_service.__main__ import main
main([])
"""


async def place(shop: OpenedShop, **options: object) -> None:
    disc, customer = await shop.make_disc(), await shop.make_customer()
    await shop.order.CreateOrder(order_request(customer.id, {disc.id: 1}), timeout=TIMEOUT_S, **options)


def log_of(shop: OpenedShop) -> list[dict[str, object]]:
    lines = shop.local.order._log.path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def ended(shop: OpenedShop) -> float:
    """Ask the order service to end, and return the seconds that it took."""
    started_s = time.monotonic()
    assert await asyncio.to_thread(shop.local.order.terminate) == 0
    return time.monotonic() - started_s


async def imported(fresh_shop: FreshShops, folder: Path, settings: dict[str, str]) -> set[str]:
    modules = folder / "modules"
    shop = await fresh_shop(
        settings={"order": {"MODULES_FILE": str(modules), **settings}}, programs={"order": ("-c", TELLING)}
    )
    await place(shop, metadata=TRACEPARENT)
    await ended(shop)
    return {name.partition(".")[0] for name in modules.read_text().splitlines()}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_a_service_without_tracing_has_not_imported_opentelemetry(
    fresh_shop: FreshShops, settings: dict[str, str], tmp_path: Path
) -> None:
    modules = await imported(fresh_shop, tmp_path, settings)
    assert "service_runtime" in modules
    assert "opentelemetry" not in modules


async def test_the_client_imports_no_opentelemetry() -> None:
    code = "import recordshop.client, sys; print([name for name in sys.modules if 'opentelemetry' in name])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert said.strip() == b"[]"


async def test_a_collector_that_is_away_costs_no_call_and_one_line(fresh_shop: FreshShops) -> None:
    away = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
    }
    shop = await fresh_shop(settings=dict.fromkeys(SERVICES, away))
    told = "spans are not sent"
    await place(shop)

    async def lines() -> list[dict[str, object]]:
        return [line for line in log_of(shop) if line["event"] == told]

    await eventually(lines, bool)
    for _ in range(20):
        await place(shop)
    assert await ended(shop) < FLUSH_TIMEOUT_S + TIMEOUT_S
    [line] = await lines()
    assert (line["service"], line["untold"]) == ("order", 0)


@asynccontextmanager
async def silent_collector() -> AsyncIterator[int]:
    """Takes connections, and says nothing."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_collector_that_hangs_delays_no_end_for_long(fresh_shop: FreshShops) -> None:
    async with silent_collector() as port:
        hanging = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        shop = await fresh_shop(settings={"order": hanging})
        await place(shop)
        assert await ended(shop) < FLUSH_TIMEOUT_S + TIMEOUT_S
        assert "the last spans were not sent in time" in {line["event"] for line in log_of(shop)}


async def test_a_service_that_ends_sends_its_last_spans(fresh_shop: FreshShops) -> None:
    async with otlp_receiver() as receiver:
        shop = await fresh_shop(settings={"order": {**receiver.environment, "OTEL_BSP_SCHEDULE_DELAY": "600000"}})
        await place(shop)
        assert receiver.spans == []
        await ended(shop)
        assert CREATE_ORDER in {span.name for span in receiver.spans}


async def test_each_worker_sends_its_spans_under_its_number(fresh_shop: FreshShops) -> None:
    async with otlp_receiver() as receiver:
        workers = {**receiver.environment, "WORKERS": "2", "POSTGRES_POOL_SIZE_MAX": "6"}
        shop = await fresh_shop(settings={"order": workers})
        await place(shop)
        [server] = [
            span
            for span in await receiver.until(lambda spans: CREATE_ORDER in {span.name for span in spans})
            if span.name == CREATE_ORDER
        ]
        assert server.resource["recordshop.worker"] in {1, 2}
        assert server.resource["service.name"] == "recordshop-order"
        assert server.resource["service.version"]


async def test_a_service_may_be_given_another_name_and_further_attributes(fresh_shop: FreshShops) -> None:
    async with otlp_receiver() as receiver:
        named = {"OTEL_SERVICE_NAME": "shop-front", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
        shop = await fresh_shop(settings={"catalog": {**receiver.environment, **named}})
        await shop.catalog.ListDiscs(catalog_pb2.ListDiscsRequest(), timeout=TIMEOUT_S)
        [*_, span] = await receiver.until(bool)
        assert (span.service, span.resource["deployment.environment.name"]) == ("shop-front", "test")
