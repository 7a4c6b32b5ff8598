"""grpcurl, as the shop's users type it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local_shop.shop import LocalShop
from tests.opened_shop import OpenedShop

ROOT = Path(__file__).parents[3]
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
GET_DISC = "recordshop.catalog.v1.CatalogService/GetDisc"
CREATE_ORDER = "recordshop.order.v1.OrderService/CreateOrder"
CATALOG_PROTO = ("-import-path", "protos", "-proto", "recordshop/catalog/v1/catalog.proto")
ORDER_PROTO = ("-import-path", "protos", "-proto", "recordshop/order/v1/order.proto")
CALL_TIMEOUT_S = 30.0
# grpcurl exits with 64 and the status code.
INVALID_ARGUMENT, FAILED_PRECONDITION = 64 + 3, 64 + 9

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(grpcurl: Path) -> Run:
    """Runs grpcurl in the project's folder: `run("-plaintext", address, "list")`."""

    def run_it(*arguments: str, data: object = None) -> "subprocess.CompletedProcess[str]":
        request = () if data is None else ("-d", json.dumps(data))
        return subprocess.run(
            [grpcurl, *request, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=CALL_TIMEOUT_S,
            check=False,
        )

    return run_it


def answer(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def order_of(disc_id: str, quantity: int) -> dict[str, Any]:
    lines = [{"disc_id": disc_id, "quantity": quantity}]
    return {"customer_id": JOHN_DOE, "request_id": str(uuid4()), "lines": lines}


def test_list_names_each_address_its_services(run: Run, local_shop: LocalShop) -> None:
    for address, services in (
        (local_shop.catalog_addr, {"recordshop.catalog.v1.CatalogService", "recordshop.catalog.v1.StockService"}),
        (local_shop.customer_addr, {"recordshop.customer.v1.CustomerService"}),
        (local_shop.order_addr, {"recordshop.order.v1.OrderService"}),
    ):
        listed = set(run("-plaintext", address, "list").stdout.split())
        assert {name for name in listed if name.startswith("recordshop.")} == services
        assert "grpc.health.v1.Health" in listed


def test_list_reads_the_protos_without_a_shop(run: Run) -> None:
    assert run(*ORDER_PROTO, "list").stdout.split() == ["recordshop.order.v1.OrderService"]


def test_describe_answers_from_the_running_service(run: Run, local_shop: LocalShop) -> None:
    service = run("-plaintext", local_shop.order_addr, "describe", "recordshop.order.v1.OrderService")
    assert "rpc CreateOrder" in service.stdout
    message = run("-plaintext", local_shop.order_addr, "describe", "recordshop.order.v1.CreateOrderRequest")
    assert "string request_id = 3;" in message.stdout


def test_describe_from_the_protos_says_what_each_method_promises(run: Run) -> None:
    described = run(*ORDER_PROTO, "describe", "recordshop.order.v1.OrderService.CreateOrder")
    assert "// Buys copies of one or more discs, all lines or none." in described.stdout


@pytest.mark.parametrize("schema", [(), CATALOG_PROTO], ids=["by_reflection", "by_proto_file"])
def test_a_call_is_answered(run: Run, local_shop: LocalShop, schema: tuple[str, ...]) -> None:
    done = run("-plaintext", *schema, local_shop.catalog_addr, GET_DISC, data={"id": WE_ARE_REACTIVE})
    assert answer(done)["name"] == "We are Reactive"


@pytest.mark.parametrize("schema", [(), ORDER_PROTO], ids=["by_reflection", "by_proto_file"])
async def test_an_order_sent_twice_is_one_order(run: Run, shop: OpenedShop, schema: tuple[str, ...]) -> None:
    disc = await shop.make_disc(stock=5)
    order = order_of(disc.id, 2)
    first, again = (
        answer(run("-plaintext", *schema, shop.local.order_addr, CREATE_ORDER, data=order)) for _ in range(2)
    )
    assert first == again
    assert first["status"] == "ORDER_STATUS_CONFIRMED"
    left = answer(run("-plaintext", shop.local.catalog_addr, GET_DISC, data={"id": disc.id}))["stock"]
    assert left == "3"


# With a proto file alone grpcurl does not know the types of the details; it may ask the service for those.
@pytest.mark.parametrize("schema", [(), ("-use-reflection", *ORDER_PROTO)], ids=["by_reflection", "by_proto_file"])
def test_all_bad_fields_are_readable(run: Run, local_shop: LocalShop, schema: tuple[str, ...]) -> None:
    bad = {"customer_id": "nobody", "request_id": "", "lines": [{"disc_id": WE_ARE_REACTIVE, "quantity": 0}]}
    done = run("-plaintext", *schema, local_shop.order_addr, CREATE_ORDER, data=bad)
    assert done.returncode == INVALID_ARGUMENT
    assert '"reason": "INVALID_ARGUMENT"' in done.stderr
    for field in ("customer_id", "request_id", "lines[0].quantity"):
        assert f'"field": "{field}"' in done.stderr


@pytest.mark.parametrize("schema", [(), ("-use-reflection", *ORDER_PROTO)], ids=["by_reflection", "by_proto_file"])
async def test_a_refusal_says_its_reason_and_its_figures(run: Run, shop: OpenedShop, schema: tuple[str, ...]) -> None:
    disc = await shop.make_disc(stock=1)
    done = run("-plaintext", *schema, shop.local.order_addr, CREATE_ORDER, data=order_of(disc.id, 7))
    assert done.returncode == FAILED_PRECONDITION
    for figure in ('"reason": "OUT_OF_STOCK"', '"asked": "7"', '"left": "1"', f'"disc_id": "{disc.id}"', '"order_id"'):
        assert figure in done.stderr
