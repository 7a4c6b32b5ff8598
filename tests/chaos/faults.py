"""What the nemesis does, each kind as a function that strikes, waits, and puts everything right again."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from local_shop.errors import LocalShopError
from tests.chaos.proxy import Mode
from tests.chaos.small_disk import SmallDisk
from tests.chaos.stage import Stage

STATEMENT_TIMEOUT_S = 3.0
RECOVERY_TIMEOUT_S = 30.0
ASK_AGAIN_S = 0.1
POSTGRES = "postgres"
# Orders are what the rules are about: their processes are struck twice as often.
PROCESSES = ("order1", "order1", "order2", "order2", "catalog1", "catalog2", "customer1", "customer2")
CATALOG_WIRES = ("order1-catalog", "order2-catalog")
WIRES = (*CATALOG_WIRES, *CATALOG_WIRES, "order1-customer", "order2-customer")
DELAY_MAX_S = 0.4
# As a clock leaves them that was set back, or forward, while the rows were written.
CLOCK_STEP_S = 3_600.0

# pg_terminate_backend ends what is under way; it is not said which part of it was committed.
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'recordshop' AND datname = $1 AND ($2 OR pid % 2 = 0)
"""
BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'recordshop' AND datname = $1 LIMIT 1"
# The leases of the journal, and those of the queue's partitions and workers.
CLOCK_STEP = """
WITH work AS (
    UPDATE open_work SET next_attempt_time = now() + $1 * interval '1 second'
), partition AS (
    UPDATE queue_leases SET lease_end_time = now() + $1 * interval '1 second'
)
UPDATE queue_workers SET lease_end_time = now() + $1 * interval '1 second'
"""


@dataclass(frozen=True)
class Fault:
    """One strike: when, what, at whom, for how long. `luck` (0 to 1) decides what else there is to decide."""

    at_s: float
    kind: str
    target: str
    lasts_s: float
    luck: float


async def kill(stage: Stage, fault: Fault) -> None:
    """SIGKILL, and a new start."""
    process = stage.processes[fault.target]
    await asyncio.to_thread(process.kill)
    await asyncio.sleep(fault.lasts_s / 2)
    process.start()
    # It may be killed again while it starts; that it serves at last is seen to at the end of the spell.
    with suppress(LocalShopError):
        await asyncio.to_thread(process.wait_serving, 10.0)


async def freeze(stage: Stage, fault: Fault) -> None:
    """SIGSTOP, and SIGCONT later, when its leases may be over."""
    process = stage.processes[fault.target]
    process.pause()
    try:
        await asyncio.sleep(fault.lasts_s)
    finally:
        process.resume()


async def restart_postgres(stage: Stage, fault: Fault) -> None:
    """An immediate shutdown, as a crash, and a new start."""
    server = stage.ground.server
    await asyncio.to_thread(server.stop, "immediate")
    try:
        await asyncio.sleep(fault.lasts_s / 2)
    finally:
        # On this thread, because PostgreSQL ends with the thread that started it.
        server.start()


async def crash_postgres(stage: Stage, fault: Fault) -> None:
    """One backend is killed: PostgreSQL throws all of them out, and recovers by itself."""
    pid = await _ask(stage, BACKEND, _database(stage, fault))
    if isinstance(pid, int):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while await _ask(stage, "SELECT 1") != 1:  # noqa: ASYNC110 - PostgreSQL tells nobody that it is back.
            await asyncio.sleep(ASK_AGAIN_S)


async def terminate_backends(stage: Stage, fault: Fault) -> None:
    """All connections of a service to its database end, or half of them."""
    await _ask(stage, TERMINATE, _database(stage, fault), fault.luck < 0.5)


async def cut(stage: Stage, fault: Fault) -> None:
    """Connections are reset, and refused for a while."""
    await _disturb(stage, fault, Mode.CUT)


async def delay(stage: Stage, fault: Fault) -> None:
    """Each piece of a question or an answer takes longer."""
    await _disturb(stage, fault, Mode.DELAY)


async def half_open(stage: Stage, fault: Fault) -> None:
    """Connections stay open and carry nothing, or questions but no answers."""
    await _disturb(stage, fault, Mode.DEAF if fault.luck < 0.6 else Mode.BLACK_HOLE)


async def full_disk(stage: Stage, fault: Fault) -> None:
    """No table and no index can grow."""
    disk = stage.ground.disk
    assert isinstance(disk, SmallDisk)
    disk.fill()
    try:
        await asyncio.sleep(fault.lasts_s)
    finally:
        disk.clear()


async def clock_step(stage: Stage, fault: Fault) -> None:
    """The leases of all open work, of all partitions and workers lie an hour ahead, or are an hour over."""
    step_s = CLOCK_STEP_S if fault.luck < 0.5 else -CLOCK_STEP_S
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await stage.orders.execute(CLOCK_STEP, step_s, timeout=STATEMENT_TIMEOUT_S)


@dataclass(frozen=True)
class Kind:
    """How often a fault is chosen, whom it strikes, how long it lasts at most."""

    strike: Callable[[Stage, Fault], Awaitable[None]]
    weight: int
    targets: tuple[str, ...]
    lasts_max_s: float


KINDS: Mapping[str, Kind] = {
    "kill": Kind(kill, 8, PROCESSES, 1.0),
    "freeze": Kind(freeze, 6, PROCESSES, 3.0),
    "postgres_restart": Kind(restart_postgres, 1, (POSTGRES,), 1.0),
    "postgres_crash": Kind(crash_postgres, 1, (POSTGRES,), 0.0),
    "terminate_backends": Kind(terminate_backends, 3, ("backends",), 0.0),
    "cut": Kind(cut, 3, WIRES, 1.5),
    "delay": Kind(delay, 2, WIRES, 3.0),
    "half_open": Kind(half_open, 4, WIRES, 3.0),
    "full_disk": Kind(full_disk, 2, (POSTGRES,), 2.0),
    "clock_step": Kind(clock_step, 3, ("leases",), 0.0),
}


def skipped(stage_disk: SmallDisk | str) -> dict[str, str]:
    """The kinds that cannot run here, and why."""
    return {"full_disk": stage_disk} if isinstance(stage_disk, str) else {}


async def _disturb(stage: Stage, fault: Fault, mode: Mode) -> None:
    wire = stage.wires[fault.target]
    await wire.switch(mode, delay_s=DELAY_MAX_S * fault.luck)
    try:
        await asyncio.sleep(fault.lasts_s)
    finally:
        await wire.heal(resets=fault.luck < 0.3)


async def _ask(stage: Stage, sql: str, *arguments: object) -> object:
    """Asks PostgreSQL, which may be away just now."""
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return await stage.orders.fetchval(sql, *arguments, timeout=STATEMENT_TIMEOUT_S)
    return None


def _database(stage: Stage, fault: Fault) -> str:
    return stage.databases["catalog" if fault.luck % 0.5 < 0.25 else "order"]
