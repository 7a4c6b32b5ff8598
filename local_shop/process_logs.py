"""Where a process' log lines go: to a file, or to the console with the process' name before each."""

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

TAIL_SIZE_MAX = 4_000
TAIL_LINES_MAX = 40
LINE_SIZE_MAX = 16_384
LAST_LINES_TIMEOUT_S = 2.0


class ProcessLog(Protocol):
    """Takes a process' output, and remembers its end."""

    def open(self) -> IO[bytes]:
        """Return a file for a process to write to; the caller closes it once the process has it."""

    def tail(self) -> str:
        """Return the last lines that were written."""


class FileLog:
    """Appends to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> IO[bytes]:
        """Open the file to append to it."""
        return self.path.open("ab")

    def tail(self) -> str:
        """Return the end of the file."""
        with self.path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_SIZE_MAX))
            return log.read().decode(errors="replace")


class ConsoleLog:
    """Shows each line behind a prefix on stdout."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._last: deque[str] = deque(maxlen=TAIL_LINES_MAX)
        self._reader: threading.Thread | None = None

    def open(self) -> IO[bytes]:
        """Open a pipe that is read until the last process that has it ends."""
        reading, writing = os.pipe()
        self._reader = threading.Thread(target=self._show, args=(reading,), name=f"log of {self._prefix}", daemon=True)
        self._reader.start()
        return open(writing, "wb")  # noqa: PTH123 -- made from a descriptor; the caller closes it

    def tail(self) -> str:
        """Return the last lines; of a process that ended, all that it had to say."""
        if self._reader is not None:
            self._reader.join(LAST_LINES_TIMEOUT_S)
        return "".join(self._last)

    def _show(self, reading: int) -> None:
        with open(reading, "rb") as pipe:
            for line in iter(lambda: pipe.readline(LINE_SIZE_MAX), b""):
                text = line.decode(errors="replace").rstrip("\n") + "\n"
                self._last.append(text)
                # Read on where nobody listens any more: a full pipe would stop the process.
                with suppress(OSError, ValueError):
                    sys.stdout.write(f"{self._prefix} {text}")
                    sys.stdout.flush()
