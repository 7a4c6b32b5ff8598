"""The lines of docs/requests.md: one for every method, and all of them work in their order."""

import re
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2

from local_shop.shop import LocalShop
from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.support.shown_commands import blocks_of, run_commands, with_addresses_of

LINES = [line for block in blocks_of("docs/requests.md") for line in block.splitlines() if line.startswith("grpcurl")]
CALL = re.compile(r" ([\w.]+/\w+)$")
FILES = (catalog_pb2, stock_pb2, customer_pb2, order_pb2, health_pb2)
METHODS = [
    f"{service.full_name}/{method.name}"
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
# Some lines say what they show; it must be in the answer.
SHOWN = {
    "CreateOrder": ("ORDER_STATUS_",),
    "BatchCreateOrders": ("ORDER_STATUS_CONFIRMED", "OUT_OF_STOCK"),
    "AuditStock": ("AUDIT_VERDICT_AGREES",),
    "ReserveStock": ("RESERVATION_STATE_RESERVED",),
    "BatchReserveStock": ("OUT_OF_STOCK",),
    "DenySoldOut": ("stock_left",),
    "Check": ("SERVING",),
}
# grpcurl exits with 64 and the status code.
DEADLINE_EXCEEDED = 64 + 4


def test_every_method_has_a_line() -> None:
    shown = {found[1] for line in LINES if (found := CALL.search(line))}
    missing = [method for method in METHODS if method not in shown]
    assert not missing, f"docs/requests.md has no line for {', '.join(missing)}: add one that works on a fresh shop"


# The first build of a Go program takes minutes.
@pytest.mark.timeout(900)
def test_the_lines_work_in_their_order(grpcurl: Path, local_shop: LocalShop, tmp_path: Path) -> None:
    for line in LINES:
        done = run_commands(with_addresses_of(local_shop, line), programs={"grpcurl": grpcurl}, folder=tmp_path)
        assert done.returncode == (DEADLINE_EXCEEDED if "-max-time" in line else 0), line + done.stderr
        assert done.stdout.strip(), line
        for words in SHOWN.get(line.rpartition("/")[2], ()):
            assert words in done.stdout, line
