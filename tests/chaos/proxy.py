"""A wire between two services that can be slow, cut, or open at one end only."""

import asyncio
from contextlib import suppress
from enum import StrEnum

from local_shop.ports import HOST

CHUNK_SIZE_MAX = 65_536
CONNECT_TIMEOUT_S = 2.0


class Mode(StrEnum):
    """What a wire does to its connections, and to those that come."""

    PASS = "pass"
    # Each piece arrives late.
    DELAY = "delay"
    # Connections are reset, new ones are closed at once.
    CUT = "cut"
    # Nobody hears anything any more, and nobody is told.
    BLACK_HOLE = "black hole"
    # Questions arrive, answers do not.
    DEAF = "deaf"


class Wire:
    """A TCP proxy on a port of its own. `target_port` may be set after it listens."""

    def __init__(self) -> None:
        self.target_port = 0
        self._mode = Mode.PASS
        self._delay_s = 0.0
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    async def open(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)

    async def close(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        self._reset()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        assert self._server is not None
        return f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def switch(self, mode: Mode, *, delay_s: float = 0.0) -> None:
        """Changes what happens from now on."""
        async with self._changed:
            self._mode, self._delay_s = mode, delay_s
            self._changed.notify_all()
        if mode is Mode.CUT:
            self._reset()

    async def heal(self, *, resets: bool) -> None:
        """Passes everything on again: what was held back arrives late or, with `resets`, never, its connection being gone."""
        if resets:
            self._reset()
        await self.switch(Mode.PASS)

    def _reset(self) -> None:
        for task, writers in list(self._connections.items()):
            for writer in writers:
                writer.transport.abort()
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = (writer,)
        try:
            if self._mode is Mode.CUT:
                return
            await self._connect(task, reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            return  # One of both ends is gone, or was made to go.
        finally:
            for end in self._connections.pop(task):
                end.transport.abort()

    async def _connect(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._wait_for_leave(answers=False)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            answers, questions = await asyncio.open_connection(HOST, self.target_port)
        self._connections[task] = (writer, questions)
        ways = [
            asyncio.create_task(self._pass_on(reader, questions, answers=False)),
            asyncio.create_task(self._pass_on(answers, writer, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_SIZE_MAX):
                if self._mode is Mode.DELAY:
                    await asyncio.sleep(self._delay_s)
                await self._wait_for_leave(answers=answers)
                writer.write(chunk)
                await writer.drain()

    async def _wait_for_leave(self, *, answers: bool) -> None:
        """Waits while the mode keeps this direction shut. What is held back is at most a chunk and the sockets' buffers."""
        if self._mode not in {Mode.BLACK_HOLE, Mode.DEAF}:
            return
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._mode is not Mode.BLACK_HOLE and not (answers and self._mode is Mode.DEAF)
            )
