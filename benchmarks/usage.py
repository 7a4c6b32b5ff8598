"""What processes use: CPU time and memory, as Linux counts them."""

import os
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NS_PER_S = 1_000_000_000
KB_PER_MB = 1_024
# In /proc/PID/stat, counted from the field after the name.
PARENT, USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM = 1, 11, 12, 13, 14
CLIENT = "client"
POSTGRES = "postgres"


class CpuMeter:
    """Counts the CPU seconds of named processes, of PostgreSQL with all its backends, and of the programs that make load."""

    def __init__(self, services: Mapping[str, int], *, postmaster: int | None) -> None:
        self._services = services
        self._postmaster = postmaster

    def read(self) -> dict[str, float]:
        """Return the seconds so far, by name; only differences mean something."""
        seconds = {name: process_cpu_s(pid) for name, pid in self._services.items()}
        if self._postmaster is not None:
            seconds[POSTGRES] = family_cpu_s(self._postmaster)
        # Programs that have ended: no other child of this process ends while something is measured.
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds[CLIENT] = ended.ru_utime + ended.ru_stime
        return seconds


def process_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process with all its threads."""
    fields = _stat(pid)
    return (int(fields[USER]) + int(fields[SYSTEM])) / TICKS_PER_S


def family_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, its children, and the children that it had."""
    fields = _stat(pid)
    own = sum(int(fields[field]) for field in (USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM)) / TICKS_PER_S
    return own + sum(map(_main_thread_cpu_s, _children(pid)))


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / KB_PER_MB, 1)
    return 0.0


def _stat(pid: int) -> Sequence[str]:
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _children(parent: int) -> list[int]:
    found = []
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = _stat(int(folder.name))
        except OSError:
            continue  # It has ended meanwhile.
        if int(fields[PARENT]) == parent:
            found.append(int(folder.name))
    return found


def _main_thread_cpu_s(pid: int) -> float:
    """Return a backend's CPU seconds: counted in ticks, a hundred backends would lose up to a second."""
    try:
        return int((PROC / str(pid) / "schedstat").read_text().split()[0]) / NS_PER_S
    except OSError:
        pass  # Not in every kernel.
    try:
        return process_cpu_s(pid)
    except OSError:
        return 0.0  # It has ended meanwhile, and its parent has its seconds.
