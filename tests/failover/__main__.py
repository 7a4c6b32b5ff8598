"""Sells records on three PostgreSQL nodes under Patroni while these are killed, frozen and switched, and counts what is lost: nothing.

python -m tests.failover [--asynchronous] [--keep] [--event "node killed" ...]
"""

import argparse
import asyncio
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from local_shop.audit import audit_shop
from local_shop.errors import LocalShopError
from local_shop.process_logs import FileLog
from local_shop.provision import DATABASES, provision, run_sql
from local_shop.report import say, show_audit
from local_shop.shop import LocalShop, ShopOptions
from local_shop.shop_env import ShopEnv
from recordshop.client import RecordShop, ShopError
from recordshop.order.v1 import order_pb2
from tests.failover.events import EVENTS, Happened, Stage
from tests.failover.load import PATIENCE_S, gathered_buyers
from tests.failover.node_config import USERS
from tests.failover.patroni_cluster import PatroniCluster
from tests.failover.primary_server import PrimaryServer
from tests.failover.report import Result

ROOT = Path(__file__).parents[2]
REPORT = "failover.json"
EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
PAGE_SIZE = 100
# db/roles.sql lets nobody into this database, through which pg_rewind, and Patroni before it, look at the new primary.
FOR_PATRONI = (f"GRANT CONNECT ON DATABASE postgres TO {USERS['rewind']}",)


def run(folder: Path, events: Sequence[str], *, synchronous: bool) -> Result:
    """Start everything in `folder`, let the events happen, and return what was seen; everything has ended then."""
    start_s = time.monotonic()
    with PatroniCluster(folder, synchronous=synchronous) as cluster:
        server = PrimaryServer(cluster)
        passwords = provision(server)
        run_sql(server, *FOR_PATRONI)
        say(f"Three nodes are up, migrated and seeded ({time.monotonic() - start_s:.1f} s): {cluster.versions}")
        hosts = {"POSTGRES_HOST": cluster.hosts}
        options = ShopOptions(
            settings={target.service: hosts for target in DATABASES},
            log_of=lambda service: FileLog(folder / f"{service}.log"),
        )
        with LocalShop(server, passwords, options) as shop:
            return asyncio.run(_sell(cluster, shop, events))


async def _sell(cluster: PatroniCluster, shop: LocalShop, events: Sequence[str]) -> Result:
    happened: list[Happened] = []
    async with gathered_buyers(shop) as buyers:
        async with buyers.buying():
            stage = Stage(cluster, buyers)
            for event in events:
                happened.append(await stage.let_happen(event))
                say(f"{event}: {happened[-1].primary_before} -> {happened[-1].primary_after}, whole again.")
        found = await _all_orders(shop)
        told = {UUID(one.order.id) for one in buyers.acknowledged}
        audit = await audit_shop(ShopEnv.of(shop), acknowledged=told)
    show_audit(audit)
    return Result(
        happened=happened,
        acknowledged=buyers.acknowledged,
        found=found,
        wrong_answers=buyers.wrong_answers,
        audit=audit,
        versions=cluster.versions,
    )


async def _all_orders(shop: LocalShop) -> dict[str, order_pb2.Order]:
    async with RecordShop(order=shop.order_addr) as client:
        request = order_pb2.ListOrdersRequest(page_size=PAGE_SIZE)
        return {order.id: order async for order in client.list_orders(request, page_timeout_s=PATIENCE_S)}


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--event", action="append", choices=list(EVENTS), help="only this; may be repeated")
    parser.add_argument(
        "--asynchronous", action="store_true", help="without synchronous mode, to see what that is good for"
    )
    parser.add_argument("--keep", action="store_true", help="keep the databases and logs of a run that went well, too")
    return parser.parse_args()


def _interrupt(number: int, frame: object) -> None:
    """Do as Ctrl-C would: whoever handles that now stops all in good order."""
    del number, frame
    signal.raise_signal(signal.SIGINT)


def main() -> int:
    """Run it, write failover.json, and return the exit code: 0 only if nothing was lost and the audit agrees."""
    asked = _parsed()
    if importlib.util.find_spec("patroni") is None:
        say("error: Patroni is missing: run `make failover`, or install this project's extra 'failover'.")
        return EXIT_FAILED
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    shop_dir = Path(os.environ.get("SHOP_DIR") or ROOT / ".shop")
    shop_dir.mkdir(parents=True, exist_ok=True)
    report = shop_dir / REPORT
    report.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="record-shop-failover-"))
    try:
        result = run(folder, asked.event or list(EVENTS), synchronous=not asked.asynchronous)
    except (LocalShopError, ShopError, OSError) as error:  # A TimeoutError too: what had to come did not come in time.
        sys.stderr.write(f"error: {error or type(error).__name__}\nDatabases and logs stay in {folder}.\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        return EXIT_INTERRUPTED
    if asked.keep or not result.is_well:
        say(f"Databases and logs stay in {folder}.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    result.write(report)
    for event in result.happened:
        say(result.line_of(event))
    say(f"The figures are in {report}.")
    say(result.verdict)
    return 0 if result.is_well else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
