"""Runs the ghz configurations beside this file against a running shop, then audits the disc that was bought.

    python -m tests.load.run [--total N] [create_order.reflection ...]

The shop is the one of `make run` (`.shop/shop.env`), unless CATALOG_ADDR and ORDER_ADDR in the environment name another.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import grpc

from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc, stock_pb2, stock_pb2_grpc
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.support.go_tools import GHZ, find_or_install

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
SHOP_ENV = Path(os.environ.get("SHOP_DIR") or ROOT / ".shop") / "shop.env"
DISC_ID = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
STOCK_AT_START = 500

CALL_TIMEOUT_S = 10.0
AUDIT_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 300.0
WITHOUT_PROXY = (("grpc.enable_http_proxy", 0),)


def configurations() -> dict[str, Path]:
    """Return all configurations by their names, such as `create_order.reflection`."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}


def read_addresses() -> dict[str, str]:
    """Return the running shop's addresses by their variables' names; SystemExit if no shop is known."""
    lines = SHOP_ENV.read_text(encoding="utf-8").splitlines() if SHOP_ENV.exists() else []
    addresses = dict(line.split("=", 1) for line in lines if "=" in line) | os.environ
    if missing := {"CATALOG_ADDR", "ORDER_ADDR"} - addresses.keys():
        raise SystemExit(f"There is no {', '.join(sorted(missing))}: start the shop with `make run`.")
    return addresses


def run(names: Sequence[str], addresses: Mapping[str, str], *, total: int | None = None) -> bool:
    """Run the named configurations one after the other; return whether the disc's audit agrees afterwards."""
    ghz = find_or_install(GHZ)
    for name in names:
        path = configurations()[name]
        buys = "OrderService" in json.loads(path.read_text(encoding="utf-8"))["call"]
        if buys:
            restock(addresses["CATALOG_ADDR"])
        print(f"\n== tests/load/{path.name}", flush=True)  # noqa: T201 - a command line program.
        command = [ghz, "--config", path, *(("--total", str(total)) if total else ())]
        host = addresses["ORDER_ADDR" if buys else "CATALOG_ADDR"]
        subprocess.run([*command, host], cwd=ROOT, timeout=RUN_TIMEOUT_S, check=True)
    return audit(addresses["ORDER_ADDR"])


def restock(catalog_addr: str) -> None:
    """Fill the disc's shelf up to STOCK_AT_START, so that each run has the same to sell."""
    with grpc.insecure_channel(catalog_addr, options=WITHOUT_PROXY) as channel:
        request = catalog_pb2.GetDiscRequest(id=DISC_ID)
        disc = catalog_pb2_grpc.CatalogServiceStub(channel).GetDisc(request, timeout=CALL_TIMEOUT_S)
        if disc.stock >= STOCK_AT_START:
            return
        movement = stock_pb2.AdjustStockRequest(
            disc_id=DISC_ID,
            movement_id=f"ghz-{uuid4()}",
            delta=STOCK_AT_START - disc.stock,
            reason="filled up for a run of ghz",
        )
        stock_pb2_grpc.StockServiceStub(channel).AdjustStock(movement, timeout=CALL_TIMEOUT_S)


def audit(order_addr: str) -> bool:
    """Print the disc's audit; return whether orders, ledger and stock agree."""
    with grpc.insecure_channel(order_addr, options=WITHOUT_PROXY) as channel:
        request = order_pb2.AuditStockRequest(disc_ids=[DISC_ID])
        answers = order_pb2_grpc.OrderServiceStub(channel).AuditStock(request, timeout=AUDIT_TIMEOUT_S)
        (found,) = answers
    verdict = order_pb2.AuditVerdict.Name(found.verdict).removeprefix("AUDIT_VERDICT_")
    figures = " ".join(
        f"{name}={getattr(found, name)}" for name in ("opening", "moved", "left", "held", "sold", "open")
    )
    print(f"\nAUDIT {verdict} {figures}")  # noqa: T201 - a command line program.
    return found.verdict == order_pb2.AUDIT_VERDICT_AGREES


def main() -> None:
    """Exits with 0 if all ran and the audit agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.run", description="ghz against a running shop")
    parser.add_argument("--total", type=int, help="calls of each configuration, instead of its own number")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(configurations()))
    options = parser.parse_args()
    if unknown := set(options.names) - configurations().keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    agrees = run(options.names or list(configurations()), read_addresses(), total=options.total)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
