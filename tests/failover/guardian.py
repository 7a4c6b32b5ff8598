"""Ends what a run has started, also if the run itself was killed (SIGKILL): some of it is frozen then, or has lost its parent.

Run by path as a program of its own; its stdin is a pipe that ends with the run:

    guardian.py FOLDER
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROUNDS_MAX = 50
ROUND_S = 0.1


def processes_in(folder: Path) -> Iterator[int]:
    """Yield all processes that work in the folder or below it: etcd, Patroni and PostgreSQL do, and nobody else."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                yield int(process.name)


def main() -> None:
    """Wait for the end of the run, and kill what is left of it."""
    folder = Path(sys.argv[1]).resolve()
    # Ctrl-C in a terminal is for the run, which then ends by itself what it has started.
    os.setsid()
    sys.stdin.buffer.read()
    for _ in range(ROUNDS_MAX):
        left = list(processes_in(folder))
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(ROUND_S)


if __name__ == "__main__":
    main()
