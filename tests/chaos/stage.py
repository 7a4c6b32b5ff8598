"""Two whole shops on one set of databases, with wires between their services that can be disturbed."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from local_shop.account import choose_account
from local_shop.copies import copy_databases, drop_databases, make_templates
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from local_shop.provision import provision
from local_shop.shop import LocalShop, ShopOptions
from tests.chaos.proxy import Wire
from tests.chaos.small_disk import SmallDisk, make_small_disk
from tests.faults.books import Pool

REPLICAS = 2
PEERS = ("catalog", "customer")
POOL_TIMEOUT_S = 5.0
# Shorter than as shipped, so that a minute has room for many faults and for what comes after each.
NEIGHBOURS = {"CATALOG_TIMEOUT_S": "1.5", "CUSTOMER_TIMEOUT_S": "1.0", "GROUP_TIMEOUT_S": "3.0"}
RECOVERY = {
    "RECOVERY_AGE_S": "1.0",
    "RECOVERY_INTERVAL_S": "0.2",
    "RECOVERY_LEASE_S": "1.5",
    "RECOVERY_BACKOFF_MAX_S": "3.0",
}
QUEUE = {"QUEUE_LEASE_S": "1.5", "QUEUE_POLL_S": "0.2", "BREAKER_OPEN_S": "1.0"}
DATABASE = {"POSTGRES_POOL_SIZE_MAX": "8", "LOG_LEVEL": "warning"}


@dataclass(frozen=True)
class Ground:
    """One PostgreSQL, provisioned, for all stages of a run; `disk` or why there is none that can be full."""

    server: LocalPostgres
    passwords: Mapping[str, str]
    folder: Path
    disk: SmallDisk | str


@dataclass(frozen=True)
class Stage:
    """What the load calls and the nemesis strikes. Processes and wires are named `order1`, `order1-catalog` and the like."""

    ground: Ground
    databases: Mapping[str, str]
    replicas: Sequence[LocalShop]
    processes: Mapping[str, ServiceProcess]
    wires: Mapping[str, Wire]
    catalog: Pool
    orders: Pool


@contextmanager
def opened_ground(folder: Path, mounts_fault: str | None) -> Iterator[Ground]:
    """Starts PostgreSQL in `folder`; it is stopped at the end, and by the end of this process."""
    with ExitStack() as stack:
        server = LocalPostgres(data_dir=folder / "postgres", sync_new_files=False)
        server.start()
        disk: SmallDisk | str = mounts_fault or ""
        stack.callback(lambda: disk.unmount() if isinstance(disk, SmallDisk) else None)
        stack.callback(server.stop)
        passwords = provision(server)
        make_templates(server)
        if mounts_fault is None:
            disk = make_small_disk(server, folder, choose_account(server.bin, folder))
        yield Ground(server, passwords, folder, disk)


@asynccontextmanager
async def opened_stage(ground: Ground, name: str, entry: Sequence[str]) -> AsyncIterator[Stage]:
    """Starts the services on new databases, each by `python -m tests.chaos.entry ENTRY... SERVICE`."""
    databases = copy_databases(ground.server, name)
    try:
        if isinstance(ground.disk, SmallDisk):
            ground.disk.take_in(ground.server, [databases["catalog"], databases["order"]])
        async with AsyncExitStack() as stack:
            yield await _start(stack, ground, databases, name, entry)
    finally:
        drop_databases(ground.server, databases)


async def _start(
    stack: AsyncExitStack, ground: Ground, databases: Mapping[str, str], name: str, entry: Sequence[str]
) -> Stage:
    wires: dict[str, Wire] = {}
    processes: dict[str, ServiceProcess] = {}
    replicas = []
    for number in range(1, REPLICAS + 1):
        mine = {peer: Wire() for peer in PEERS}
        for wire in mine.values():
            await wire.open()
            stack.push_async_callback(wire.close)
        addresses = {f"{peer.upper()}_ADDR": wire.address for peer, wire in mine.items()}
        options = ShopOptions(
            databases=databases,
            settings={
                **dict.fromkeys(PEERS, DATABASE),
                "order": {**DATABASE, **NEIGHBOURS, **RECOVERY, **QUEUE, **addresses},
            },
            programs={
                service: ("-m", "tests.chaos.entry", *entry, f"{service}_service") for service in ("order", *PEERS)
            },
            log_of=lambda service, number=number: FileLog(ground.folder / f"{name}-{service}{number}.log"),  # type: ignore[misc]
        )
        local = stack.enter_context(LocalShop(ground.server, ground.passwords, options))
        replicas.append(local)
        processes |= {f"{service}{number}": getattr(local, service) for service in ("order", *PEERS)}
        for peer, wire in mine.items():
            wire.target_port = getattr(local, peer).port
            wires[f"order{number}-{peer}"] = wire
    pools = [
        await stack.enter_async_context(
            asyncpg.create_pool(
                ground.server.dsn(databases[service], "postgres", ground.server.admin_password),
                min_size=0,
                max_size=2,
                command_timeout=POOL_TIMEOUT_S,
                timeout=POOL_TIMEOUT_S,
            )
        )
        for service in ("catalog", "order")
    ]
    return Stage(ground, databases, replicas, processes, wires, *pools)


async def all_stand(stage: Stage) -> None:
    """Waits until every process serves; raises a LocalShopError if one does not."""
    for process in stage.processes.values():
        await asyncio.to_thread(process.wait_serving)
