"""The workers of one service, and clients whose connections are known to lead to this worker or to that one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from local_shop.listening import children, listens, open_files
from local_shop.processes import ServiceProcess
from recordshop.channels import OPTIONS
from recordshop.client import OrderNotFound, RecordShop
from tests.faults.stage import CALL_TIMEOUT_S, PATIENT
from tests.faults.waiting import eventually

WORKERS = 2
# The system picks a worker for each connection: that so many all go to one does not happen.
CONNECTIONS_MAX = 60
ESTABLISHED = "01"  # From the kernel's net/tcp_states.h.

Crew = Mapping[int, list[RecordShop]]


async def listening_workers(process: ServiceProcess) -> list[int]:
    """Waits until all workers of a service listen, and answers their process ids."""

    async def listening() -> list[int]:
        return [pid for pid in children(process.pid) if listens(pid, process.port)]

    return await eventually(listening, lambda pids: len(pids) == WORKERS)


@asynccontextmanager
async def crew_of(process: ServiceProcess, *, clients: int) -> AsyncIterator[Crew]:
    """Connects so many patient clients, and more, to each worker of the order service; answers them by its process id."""
    pids = await listening_workers(process)
    crew: dict[int, list[RecordShop]] = {pid: [] for pid in pids}
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            if all(len(connected) >= clients for connected in crew.values()):
                break
            before = {pid: connections(pid, process.port) for pid in pids}
            client = await stack.enter_async_context(client_of_its_own(process.address))
            (worker,) = [pid for pid in pids if connections(pid, process.port) - before[pid]]
            crew[worker].append(client)
        assert min(map(len, crew.values())) >= clients, f"all connections lead to one worker: {crew}"
        yield crew


@asynccontextmanager
async def client_of_its_own(address: str) -> AsyncIterator[RecordShop]:
    """A connected client with a connection of its own: grpc lets channels of one process share one."""
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    async with (
        RecordShop(order=address, retry=PATIENT) as client,
        grpc.aio.insecure_channel(address, options=options) as channel,
    ):
        client._channels["order"] = channel
        with pytest.raises(OrderNotFound):
            await client.get_order(str(uuid4()), timeout_s=CALL_TIMEOUT_S)
        yield client


def connections(pid: int, port: int) -> set[str]:
    """The connections that a process has accepted on a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == ESTABLISHED and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found.intersection(open_files(pid))
