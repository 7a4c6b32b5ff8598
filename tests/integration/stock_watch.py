"""Watches of stock in a test's words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc

from recordshop.catalog.v1 import stock_pb2, stock_pb2_grpc

WATCH_TIMEOUT_S = 60.0


class Told(NamedTuple):
    """What a watcher was told of a disc."""

    disc_id: str
    revision: int
    stock: int
    is_snapshot: bool


class StockWatch:
    """A stream of changes, one at a time."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._waiting: list[Told] = []

    async def next(self) -> Told:
        """Wait for the next change, or raise the error that the stream ended with."""
        while not self._waiting:
            message = await self.call.read()
            if message is grpc.aio.EOF:
                raise AssertionError(f"the watch ended as {await self.call.code()}")
            assert message.changes, "a message without news"
            self._waiting += [
                Told(change.disc_id, change.revision, change.stock, not change.HasField("change_time"))
                for change in message.changes
            ]
        return self._waiting.pop(0)

    async def until(self, revision: int) -> list[Told]:
        """Collect what is told until a revision comes, which is the last."""
        told = [await self.next()]
        while told[-1].revision != revision:
            told.append(await self.next())
        return told


def watch_request(*disc_ids: str, **revisions: int) -> stock_pb2.WatchStockRequest:
    """Ask for discs: `revisions` are those to go on from, by disc id."""
    discs = [stock_pb2.WatchedDisc(disc_id=disc_id) for disc_id in disc_ids]
    discs += [stock_pb2.WatchedDisc(disc_id=disc_id, revision=revision) for disc_id, revision in revisions.items()]
    return stock_pb2.WatchStockRequest(discs=discs)


@asynccontextmanager
async def watching(
    stub: "stock_pb2_grpc.StockServiceAsyncStub", *disc_ids: str, timeout_s: float = WATCH_TIMEOUT_S, **revisions: int
) -> AsyncIterator[StockWatch]:
    """Watch discs from here to the end of the block."""
    call = stub.WatchStock(watch_request(*disc_ids, **revisions), timeout=timeout_s)
    try:
        yield StockWatch(call)
    finally:
        call.cancel()
