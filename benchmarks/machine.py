"""What the benchmark ran on, and with what."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from benchmarks.generators import Generators
from local_shop.postgres import LocalPostgres

KB_PER_GB = 1_024 * 1_024
CONNECT_TIMEOUT_S = 10.0
PROMISES = ("fsync", "synchronous_commit", "full_page_writes")


async def describe(server: LocalPostgres, generators: Generators) -> dict[str, object]:
    """Return all that one needs to know to make the figures again."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_generator": generators.lightest.name,
        "other_load_generator": generators.other.name if generators.other else None,
        "cpu": _first_of(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(int((_first_of(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]) / KB_PER_GB, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "postgres": await _settings(server),
    }


async def _settings(server: LocalPostgres) -> dict[str, str]:
    connection = await asyncpg.connect(server.admin_dsn, timeout=CONNECT_TIMEOUT_S)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in ("server_version", *PROMISES)}
    finally:
        await connection.close()


def _first_of(path: Path, name: str) -> str | None:
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
