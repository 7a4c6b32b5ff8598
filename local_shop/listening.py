"""Tells whether a process listens on a port: an answer from there may as well come from another program."""

import os
from contextlib import suppress
from pathlib import Path

LISTEN = "0A"  # From the kernel's net/tcp_states.h.
# gRPC takes IPv6 sockets for IPv4 addresses too.
SOCKET_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def listens(pid: int, port: int) -> bool:
    """Tell whether the process, which must be this user's, or a child of it has a TCP socket that listens on `port`."""
    wanted = {f"socket:[{inode}]" for inode in _listening_sockets(port)}
    return bool(wanted) and any(not wanted.isdisjoint(open_files(one)) for one in (pid, *children(pid)))


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that have not ended."""
    found: list[int] = []
    # A thread may end meanwhile.
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _listening_sockets(port: int) -> list[str]:
    inodes = []
    for table in SOCKET_TABLES:
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            address, state, inode = columns[1], columns[3], columns[9]
            if state == LISTEN and int(address.rpartition(":")[2], 16) == port:
                inodes.append(inode)
    return inodes


def open_files(pid: int) -> list[str]:
    """Return what the files of a process are that it has open now; a socket is `socket:[1234]`."""
    files = []
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                files.append(os.readlink(entry))  # noqa: PTH115, PERF401 -- a file may close meanwhile: what was read counts
    except OSError:
        pass
    return files
