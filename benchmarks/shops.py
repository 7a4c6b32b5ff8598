"""Shops of the benchmark: the three services on databases of their own, started through the benchmark's entry points."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.audit import Verdict
from benchmarks.books import Books, opened_books
from benchmarks.locks import Entrance
from benchmarks.props import PROPS_VARIABLE
from benchmarks.usage import CpuMeter, resident_mb
from local_shop.audit import audit_shop
from local_shop.cluster import SUPERUSER
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.shop import LocalShop, ShopOptions
from local_shop.shop_env import ShopEnv

ORDER_ENTRY = ("-m", "benchmarks.entry", "--fresh-ids", "order_service")
UNGROUPED_ORDER_ENTRY = ("-m", "benchmarks.entry", "--fresh-ids", "--ungrouped", "order_service")
UNGROUPED_CATALOG_ENTRY = ("-m", "benchmarks.entry", "--ungrouped", "catalog_service")
FAULTS_TOLD_MAX = 20
WALKED_ORDERS_MAX = 50_000
# Orders that queue for one row take long; a baseline that gave some of them up would not count at all.
PATIENCE_S = "30"
UNGROUPED_CATALOG_SETTINGS = {"CALL_TIMEOUT_S": PATIENCE_S, "POSTGRES_ACQUIRE_TIMEOUT_S": PATIENCE_S}
UNGROUPED_ORDER_SETTINGS = UNGROUPED_CATALOG_SETTINGS | {
    "CATALOG_TIMEOUT_S": PATIENCE_S,
    "CUSTOMER_TIMEOUT_S": PATIENCE_S,
    "GROUP_TIMEOUT_S": PATIENCE_S,
    "RECOVERY_AGE_S": PATIENCE_S,
}

# The largest crowd has a connection for each client, which is more than the shop allows of itself.
CONNECTIONS_MAX = "5000"


@dataclass(frozen=True)
class BenchShop:
    """A running shop, its books, what it uses, and how clients get in."""

    name: str
    local: LocalShop
    books: Books
    cpu: CpuMeter
    entrance: Entrance

    async def audit(self) -> Verdict:
        """Hold all orders against the ledger; where there are not too many, also as the shop's own audit does it.

        That one has no way into a locked shop.
        """
        verdict = await self.books.audit()
        if verdict.orders_sold > WALKED_ORDERS_MAX or self.entrance.ca:
            return verdict
        walked = await audit_shop(ShopEnv.of(self.local))
        return replace(
            verdict,
            disagreements=verdict.disagreements + len(walked.faults),
            faults=[*verdict.faults, *walked.faults][:FAULTS_TOLD_MAX],
        )

    def resident_mb(self) -> dict[str, float]:
        """Return each service's resident memory, and that of all together."""
        by_service = {process.name: resident_mb(process.pid) for process in self.local.processes}
        return by_service | {"together": round(sum(by_service.values()), 1)}


@asynccontextmanager
async def running_shop(
    name: str, local: LocalShop, server: LocalPostgres, databases: dict[str, str], entrance: Entrance
) -> AsyncIterator[BenchShop]:
    """Open the books of a shop that runs."""
    orders, catalog = (
        server.dsn(databases[service], SUPERUSER, server.admin_password) for service in ("order", "catalog")
    )
    async with opened_books(orders, catalog) as books:
        pids = {process.name: process.pid for process in local.processes}
        yield BenchShop(name, local, books, CpuMeter(pids, postmaster=server.pid), entrance)


def shop_options(
    databases: dict[str, str],
    folder: Path,
    props: Path,
    *,
    settings: Mapping[str, Mapping[str, str]],
    ungrouped_pool: int | None,
) -> ShopOptions:
    """Return the options of a shop as it is shipped but for `settings` (by service, then by variable).

    With `ungrouped_pool` connections for each service it is one without group commit.
    """
    order = {"CONNECTIONS_MAX": CONNECTIONS_MAX, PROPS_VARIABLE: str(props)}
    settings = {**settings, "order": {**settings.get("order", {}), **order}}
    programs: dict[str, Sequence[str]] = {"order": ORDER_ENTRY}
    if ungrouped_pool is not None:
        pool = {"POSTGRES_POOL_SIZE_MAX": str(ungrouped_pool)}
        settings = {
            "order": {**settings["order"], **UNGROUPED_ORDER_SETTINGS, **pool},
            "catalog": {**settings.get("catalog", {}), **UNGROUPED_CATALOG_SETTINGS, **pool},
        }
        programs = {"order": UNGROUPED_ORDER_ENTRY, "catalog": UNGROUPED_CATALOG_ENTRY}
    return ShopOptions(
        databases=databases,
        settings=settings,
        programs=programs,
        log_of=lambda service: FileLog(folder / f"{service}.log"),
    )
