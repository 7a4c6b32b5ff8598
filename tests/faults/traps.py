"""The test's end of the failpoints: traps in which a process stops between two steps, until it is let go or killed."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.entry import DIE, GO

REACH_TIMEOUT_S = 20.0


class Held:
    """One step of a process that waits for the test's word."""

    def __init__(self, pid: int, name: str) -> None:
        self.pid = pid
        self.name = name
        self.word: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def go(self) -> None:
        """Lets the step go on."""
        if not self.word.done():
            self.word.set_result(GO)

    def die(self) -> None:
        """Has the process kill itself with SIGKILL, here and now."""
        if not self.word.done():
            self.word.set_result(DIE)


class Trap:
    """Holds whoever reaches one failpoint, or one process that does."""

    def __init__(self, name: str, pid: int | None) -> None:
        self.name = name
        self.pid = pid
        self._held: asyncio.Queue[Held] = asyncio.Queue()
        self._all: list[Held] = []

    async def reached(self, timeout_s: float = REACH_TIMEOUT_S) -> Held:
        """Waits for the next one who is held."""
        async with asyncio.timeout(timeout_s):
            return await self._held.get()

    def is_for(self, pid: int, name: str) -> bool:
        """Tells whether this process is to be held at this failpoint."""
        return name == self.name and self.pid in {None, pid}

    def hold(self, held: Held) -> None:
        """Puts somebody into the trap."""
        self._all.append(held)
        self._held.put_nowait(held)

    @property
    def is_sprung(self) -> bool:
        """Whether anybody came into the trap."""
        return bool(self._all)

    def open(self) -> None:
        """Lets everybody go."""
        for held in self._all:
            held.go()


class Failpoints:
    """Answers one process, or several, at their failpoints; those without a trap go on at once."""

    def __init__(self) -> None:
        # A socket's path may have 107 bytes: pytest's own folders can be longer.
        self._folder = Path(tempfile.mkdtemp(prefix="traps-"))
        self.socket = self._folder / "socket"
        self._traps: list[Trap] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._answer, self.socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for trap in self._traps:
            trap.open()
        if self._server is not None:
            self._server.close()
        shutil.rmtree(self._folder)

    @asynccontextmanager
    async def trap(self, name: str, *, pid: int | None = None) -> AsyncIterator[Trap]:
        """Sets a trap for all processes or for one; at the end of the block everybody in it goes on."""
        trap = Trap(name, pid)
        self._traps.append(trap)
        try:
            yield trap
        finally:
            self._traps.remove(trap)
            trap.open()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pid_text, _, name = (await reader.readline()).decode().strip().partition(" ")
            held = Held(int(pid_text), name)
            trap = next((trap for trap in self._traps if trap.is_for(held.pid, name)), None)
            if trap is None:
                held.go()
            else:
                trap.hold(held)
            word = await held.word
            writer.write(word)
            await writer.drain()
        except ConnectionError:
            return  # The process was killed while it was held.
        finally:
            writer.close()
