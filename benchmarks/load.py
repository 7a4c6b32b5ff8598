"""Load: so many clients, each with one call under way, until so many calls are answered."""

import asyncio
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.errors import BenchmarkFailed
from benchmarks.locks import OPEN, Entrance

TOLD_SIZE_MAX = 2_000


@dataclass(frozen=True)
class Call:
    """What all clients ask, over and over: a message or, in a stream, several equal ones; and how they get in."""

    address: str
    method: str
    message: bytes
    messages: int = 1
    entrance: Entrance = OPEN.entrance


@dataclass(frozen=True)
class Load:
    """What the clients saw: calls that were answered, seconds from the first call to the last answer, and each call's latency."""

    answered: int
    seconds: float
    latencies_ms: Sequence[float]


class LoadGenerator(Protocol):
    """A native client."""

    name: str

    async def run(self, call: Call, *, calls: int, clients: int) -> Load:
        """Make the load, and return when all calls have ended; BenchmarkFailed if the program fails or takes too long."""


async def run_program(
    command: Sequence[str | Path], *, timeout_s: float, environment: dict[str, str] | None = None
) -> str:
    """Run a program to its end and return what it printed; BenchmarkFailed with its words if it fails or is not done in time."""
    name = Path(command[0]).name
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            printed, told = await process.communicate()
    except TimeoutError:
        raise BenchmarkFailed(f"{name} did not end within {timeout_s:.0f} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise BenchmarkFailed(f"{name} failed:\n{told.decode(errors='replace')[-TOLD_SIZE_MAX:]}")
    return printed.decode(errors="replace")


def allow_many_connections() -> None:
    """Raise this process' limit of open files, which programs that it starts inherit, as far as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
