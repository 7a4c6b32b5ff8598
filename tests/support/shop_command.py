"""`python -m local_shop ...` as a process, and all the processes that it started."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
END_TIMEOUT_S = 60.0
POLL_S = 0.02


class ShopCommand:
    """A running command of the local shop's; its stdout is read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []

    def read_until(self, words: str) -> str:
        """Read lines until one holds the words, and return it; AssertionError if the output ends before."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return self.lines[-1]
        raise AssertionError(f"no {words!r} in:\n{chr(10).join(self.lines)}")

    def wait_for(self, path: Path) -> None:
        """Wait until a file exists; AssertionError if the process ends before."""
        while not path.exists():
            try:
                self._process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"ended without {path}")

    def finish(self) -> int:
        """Read all that is left, and return the exit code."""
        assert self._process.stdout is not None
        self.lines += [line.rstrip("\n") for line in self._process.stdout]
        return self._process.wait(END_TIMEOUT_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the supervising process, and to no other."""
        self._process.send_signal(number)

    def descendants(self) -> list[int]:
        """Return the ids of all processes that this one started, and those that they started."""
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        found = [self._process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]


@contextmanager
def shop_command(*arguments: str, shop_dir: Path, **environment: str) -> Iterator[ShopCommand]:
    """Start a command with a data folder of its own; at the end it is stopped, if it still runs."""
    command: Sequence[str] = [sys.executable, "-m", "local_shop", *arguments]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"SHOP_DIR": str(shop_dir)} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield ShopCommand(process)
        finally:
            process.terminate()


@contextmanager
def watched(pids: Sequence[int]) -> Iterator[list[int]]:
    """Hold on to processes, so that their ends are seen even if their ids are used again: descriptors for `all_ended`."""
    with ExitStack() as stack:
        descriptors = []
        for pid in pids:
            try:
                descriptors.append(os.pidfd_open(pid))
            except ProcessLookupError:
                continue  # It has ended since it was listed, as a connection's backend may.
            stack.callback(os.close, descriptors[-1])
        yield descriptors


def all_ended(descriptors: Sequence[int], timeout_s: float) -> bool:
    """Tell whether all of the watched processes end in time, each within `timeout_s`."""
    return all(select.select([descriptor], [], [], timeout_s)[0] for descriptor in descriptors)
