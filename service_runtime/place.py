"""Where a server listens: on a port of its own, or on one that it shares with other workers."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar, Protocol

import structlog

EXIT_PORT_IN_USE = 1

# What a worker says to its parent, each once; the parent's only word, in between, is the number of the port.
READY = b"ready"
LISTENING = b"listening"
WORD_SIZE_MAX = 64

log = structlog.get_logger(__name__)


class Place(Protocol):
    """Where one server of a process listens."""

    is_shared: ClassVar[bool]

    def taking(self) -> AbstractAsyncContextManager[str]:
        """Answers the address, `host:port`, to listen on inside the block."""


@dataclass(frozen=True)
class OwnPort:
    """A port that one process has for itself."""

    is_shared: ClassVar[bool] = False
    address: str

    @asynccontextmanager
    async def taking(self) -> AsyncIterator[str]:
        """Answers the address at once."""
        yield self.address


class SharedPort:
    """A port that several workers listen on; the parent, at the other end of the line, says when and where."""

    is_shared: ClassVar[bool] = True

    def __init__(self, *, host: str, line: socket.socket) -> None:
        self._host = host
        self._line = line
        self._line.setblocking(False)  # noqa: FBT003 - the socket's own way to be asked.

    @asynccontextmanager
    async def taking(self) -> AsyncIterator[str]:
        """Waits for the parent's word, and tells it when the block ended well. From the word on the process drains if the parent goes."""
        loop = asyncio.get_running_loop()
        word = b""
        with suppress(ConnectionError):
            await loop.sock_sendall(self._line, READY)
            word = await loop.sock_recv(self._line, WORD_SIZE_MAX)
        if not word:
            raise SystemExit("the parent is gone")
        loop.add_reader(self._line, self._drain)
        yield f"{self._host}:{word.decode()}"
        with suppress(ConnectionError):
            await loop.sock_sendall(self._line, LISTENING)

    def _drain(self) -> None:
        """The parent says nothing more: there is something to read when its end is closed, in whatever way it ended."""
        asyncio.get_running_loop().remove_reader(self._line)
        log.warning("the parent is gone")
        signal.raise_signal(signal.SIGTERM)


def cannot_listen(address: str) -> SystemExit:
    """Logs that an address cannot be listened on, and answers how the process ends."""
    log.error("cannot listen: the address is in use or is not this machine's", address=address)
    return SystemExit(EXIT_PORT_IN_USE)
