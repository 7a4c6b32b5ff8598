"""The clients in other languages: their commands as clients/README.md shows them, against the real shop."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.rpc import error_details_pb2

from recordshop.catalog.v1 import catalog_pb2
from recordshop.order.v1 import order_pb2
from tests.opened_shop import CALL_TIMEOUT_S, OpenedShop
from tests.support.shown_commands import blocks_of

ROOT = Path(__file__).parents[3]
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
# By the program that a language needs: its block, all but the last line of which prepares it.
BLOCKS = {re.search(r"^(go|npm) ", block, re.MULTILINE)[1]: block for block in blocks_of("clients/README.md")}  # type: ignore[index]
PREPARE_TIMEOUT_S = 600.0
RUN_TIMEOUT_S = 60.0

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)

Start = Callable[[OpenedShop], "subprocess.Popen[str]"]


@pytest.fixture(scope="module", params=["go", "npm"])
def start(request: pytest.FixtureRequest) -> Start:
    """Prepares a language as the page says, once, and answers what starts its example against a shop."""
    program: str = request.param
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on PATH")
    folder, *preparations, run = BLOCKS[program].splitlines()
    prepared = subprocess.run(
        ["bash", "-eu", "-c", "\n".join([folder, *preparations])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PREPARE_TIMEOUT_S,
        check=False,
    )
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr

    def start_it(shop: OpenedShop) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", "-eu", "-c", f"{folder}\nexec {run}"],
            cwd=ROOT,
            env=os.environ | {"ORDER_ADDR": shop.local.order_addr},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start_it


def orders_in(output: str, status: str) -> list[str]:
    return re.findall(rf"^order (\S+) (?:ORDER_STATUS_)?{status}$", output, re.MULTILINE)


async def copies_left(shop: OpenedShop) -> int:
    return (await shop.catalog.GetDisc(catalog_pb2.GetDiscRequest(id=WE_ARE_REACTIVE), timeout=CALL_TIMEOUT_S)).stock


async def test_an_example_buys_once_reads_a_refusal_and_follows_an_order_to_its_end(
    start: Start, shop: OpenedShop
) -> None:
    left = await copies_left(shop)
    output, _ = start(shop).communicate(timeout=RUN_TIMEOUT_S)
    first, again = orders_in(output, "CONFIRMED")
    assert first == again, output
    (refusal,) = re.findall(r"^refused .*?(?=^order)", output, re.MULTILINE | re.DOTALL)
    for words in ("FailedPrecondition", "OUT_OF_STOCK", "1000", str(left - 2), WE_ARE_REACTIVE):
        assert words in refusal
    (pending,) = orders_in(output, "PENDING")
    assert re.search(rf"^followed {pending} (ORDER_STATUS_)?CONFIRMED$", output.rstrip().splitlines()[-1])
    assert await copies_left(shop) == left - 3
    for order_id in (first, pending):
        order = await shop.order.GetOrder(order_pb2.GetOrderRequest(id=order_id), timeout=CALL_TIMEOUT_S)
        assert order.status == order_pb2.ORDER_STATUS_CONFIRMED


def test_the_error_details_are_those_that_the_services_send() -> None:
    ours = ROOT / "clients" / "protos" / "google" / "rpc" / "error_details.proto"
    theirs = Path(error_details_pb2.__file__).with_name("error_details.proto")
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("lock", ["go/go.sum", "typescript/package-lock.json"])
def test_a_lock_file_names_no_registry(lock: str) -> None:
    text = (ROOT / "clients" / lock).read_text(encoding="utf-8")
    assert text
    assert "://" not in text
