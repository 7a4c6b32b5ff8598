"""Orders that come as a stream of messages, and are answered as they are decided."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Generic, TypeVar

from order_service.batch import BatchPlacement
from order_service.model import OrderDraft
from order_service.processing import Outcome
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError
from service_runtime.fair_creates import RateLimited

Message = TypeVar("Message")


class OrderStream(Generic[Message]):
    """Places the messages of streams, a limited number of each at once: beyond that a stream is not read, and its sender waits."""

    def __init__(
        self, *, batches: BatchPlacement, in_flight_max: int, all_in_flight_max: int, timeout_s: float
    ) -> None:
        self._batches = batches
        # Of all streams together: their lane refuses what does not fit, and a stream shall wait instead.
        self._turns = asyncio.Semaphore(all_in_flight_max)
        self._in_flight_max = in_flight_max
        self._timeout_s = timeout_s

    async def place(
        self, messages: AsyncIterator[tuple[Message, Sequence[OrderDraft | ServiceError]]]
    ) -> AsyncIterator[tuple[Message, list[Outcome]]]:
        """Answers each message with its outcomes, in the order in which they are ready, and ends after the last one."""
        placing: set[asyncio.Task[Any]] = set()
        reading = _next(messages)
        try:
            while True:
                awaited: set[asyncio.Task[Any]] = placing | ({reading} if len(placing) < self._in_flight_max else set())
                done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if reading in done:
                    done.discard(reading)
                    message = reading.result()
                    if message is None:
                        break
                    placing.add(asyncio.create_task(self._place(*message)))
                    reading = _next(messages)
                for task in done:
                    placing.discard(task)
                    yield task.result()
            for answer in asyncio.as_completed(placing):
                yield await answer
        finally:
            # The groups that took orders in go on without the stream.
            for task in (reading, *placing):
                task.cancel()
            await asyncio.gather(reading, *placing, return_exceptions=True)

    async def _place(
        self, message: Message, entries: Sequence[OrderDraft | ServiceError]
    ) -> tuple[Message, list[Outcome]]:
        async with self._turns:
            try:
                outcomes = await self._batches.place_all(entries, Deadline.after(self._timeout_s))
            except RateLimited as error:
                # The stream goes on: its sender is told message by message, and may come to their share again.
                outcomes = [entry if isinstance(entry, ServiceError) else error for entry in entries]
            return message, outcomes


def _next(
    messages: AsyncIterator[tuple[Message, Sequence[OrderDraft | ServiceError]]],
) -> asyncio.Task[tuple[Message, Sequence[OrderDraft | ServiceError]] | None]:
    async def read() -> tuple[Message, Sequence[OrderDraft | ServiceError]] | None:
        return await anext(messages, None)

    return asyncio.create_task(read())
