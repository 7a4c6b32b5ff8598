"""Somebody between a caller and a service: calls from another address, and counts what it hears."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

CHUNK_BYTES = 64 * 1024
PREFACE_BYTES = 24
FRAME_HEADER_BYTES = 9
PING, ACK = 6, 1
ANOTHER_ADDRESS = "127.0.0.2"


class Relay:
    """Hands bytes on, both ways, for every connection."""

    def __init__(self, target: str, source: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._source = source
        self.serving: set[asyncio.Task[Any]] = set()
        self.address = ""
        """Where it listens."""
        self.pings = asyncio.Semaphore(0)
        """Released at each HTTP/2 ping of a caller, if nothing is encrypted."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hands on what is said in one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                answers, target = await asyncio.open_connection(self._host, self._port, local_addr=(self._source, 0))
                try:
                    await asyncio.gather(self._tell(reader, target), self._answer(answers, writer))
                finally:
                    target.close()
        finally:
            writer.close()
            self.serving.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames, skip = bytearray(), PREFACE_BYTES
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
            frames += chunk
            while len(frames) >= skip + FRAME_HEADER_BYTES:
                header = frames[skip : skip + FRAME_HEADER_BYTES]
                if header[3] == PING and not header[4] & ACK:
                    self.pings.release()
                skip += FRAME_HEADER_BYTES + int.from_bytes(header[:3])
            seen = min(skip, len(frames))
            del frames[:seen]
            skip -= seen
        writer.close()


@asynccontextmanager
async def relayed(target: str, *, source: str = ANOTHER_ADDRESS) -> AsyncIterator[Relay]:
    """Runs a relay to `host:port` that calls from `source`."""
    relay = Relay(target, source)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.address = "{}:{}".format(*server.sockets[0].getsockname())
    try:
        yield relay
    finally:
        server.close()
        left = list(relay.serving)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
