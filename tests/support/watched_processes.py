"""What everybody on the machine can see of processes: their command lines, and for their own user their environments."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROC = Path("/proc")
LOOK_EVERY_S = 0.01
JOIN_TIMEOUT_S = 10.0


class WatchedProcesses:
    """All that was seen of this process' descendants, those that lived for a moment too."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._seen: set[bytes] = set()
        self.names: set[str] = set()

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(seen.decode(errors="replace") for seen in self._seen)

    def look(self) -> None:
        """Looks at all that run now."""
        parents: dict[int, int] = {}
        for folder in PROC.glob("[0-9]*"):
            with suppress(OSError, IndexError, ValueError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        for pid in parents:
            if pid != self._parent and self._descends(pid, parents):
                with suppress(OSError):
                    self._seen.add((PROC / str(pid) / "cmdline").read_bytes())
                    self._seen.add((PROC / str(pid) / "environ").read_bytes())
                    self.names.add((PROC / str(pid) / "comm").read_text().strip())

    def _descends(self, pid: int, parents: dict[int, int]) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == self._parent:
                return True
        return False


@contextmanager
def watched_processes(parent: int) -> Iterator[WatchedProcesses]:
    """Looks again and again from here to the end of the block."""
    watched, ending = WatchedProcesses(parent), threading.Event()

    def watch() -> None:
        while not ending.wait(LOOK_EVERY_S):
            watched.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        ending.set()
        thread.join(JOIN_TIMEOUT_S)
        watched.look()
