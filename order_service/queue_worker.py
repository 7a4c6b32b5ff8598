"""The queue's worker: has the orders of its partitions decided, those first that were committed first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from order_service.errors import ConflictRetriesExhausted
from order_service.order_queue import CHANNEL, OrderQueue, QueuedGroup
from order_service.processing import OrderProcessing
from order_service.queue_leases import QueueLeases
from order_service.repository import OrderRepository
from service_runtime import tracing
from service_runtime.background import cancelled_quietly
from service_runtime.database import Database
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

# A lease is renewed so many times before it would end.
RENEWALS = 3
# Groups that one look at the head of the line reads.
GROUPS_MAX = 100

log = structlog.get_logger(__name__)


class QueueWorker:
    """Works in every process of the service. A partition is worked on by whoever holds its lease, one step after the other.

    What is left undecided stays first in line, and with it all who are behind it for its disc: the catalog begins none of these.

    A worker that was paused beyond its lease does no harm: it asks for the orders that were first in line when it looked, all of which its
    successor has asked for in the same order, and the catalog decides each once.
    """

    def __init__(
        self,
        *,
        database: Database,
        queue: OrderQueue,
        leases: QueueLeases,
        orders: OrderRepository,
        processing: OrderProcessing,
        poll_s: float,
        lease_s: float,
        size_max: int,
        partitions_at_once_max: int,
        timeout_s: float,
    ) -> None:
        self._database = database
        self._queue = queue
        self._leases = leases
        self._orders = orders
        self._processing = processing
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._size_max = size_max
        self._partitions_at_once_max = partitions_at_once_max
        self._timeout_s = timeout_s
        self._hinted = asyncio.Event()
        self._working: dict[int, asyncio.Task[None]] = {}
        # Who had a turn last comes last, so that busy partitions, or those that are stuck, keep no others out.
        self._turn = 0
        self._last_turns: dict[int, int] = {}
        self._others_wait = False
        # Orders of a partition that are asked for at once: halved when that was too much for one call's time, doubled when it was not.
        self._sizes: dict[int, int] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the worker's tasks from here to the end of the block, and leaves its partitions to others then."""
        tasks = [
            asyncio.create_task(self._repeatedly(step, pause_s))
            for step, pause_s in (
                (self._leases.renew, self._lease_s / RENEWALS),
                (self._listen, self._poll_s),
                (self._queue.count, self._poll_s),
                (self._begin, 0.0),
            )
        ]
        try:
            yield
        finally:
            for task in tasks:
                await cancelled_quietly(task)
            # Only now does nobody begin more of these.
            for task in tuple(self._working.values()):
                await cancelled_quietly(task)
            try:
                await self._leases.give_up()
            except ServiceError as error:
                log.warning("leases are left to end", reason=error.reason)

    async def _repeatedly(self, step: Callable[[], Awaitable[None]], pause_s: float) -> None:
        while True:
            try:
                await step()
            except ServiceError as error:
                log.warning("the queue waits", reason=error.reason)
                await asyncio.sleep(self._poll_s)
            except Exception as error:  # noqa: BLE001 - the worker must outlive whatever one step meets.
                log.error("the queue's worker failed", error=type(error).__name__)  # noqa: TRY400 - texts quote rows.
                await asyncio.sleep(self._poll_s)
            await asyncio.sleep(pause_s)

    async def _listen(self) -> None:
        await self._database.listen(CHANNEL, self._hinted.set)

    async def _begin(self) -> None:
        """Begins to work on partitions in which orders wait, as many at once as may be; then waits for a hint, or for poll_s."""
        self._hinted.clear()
        partitions = await self._queue.partitions()
        waiting = sorted(
            [partition for partition in partitions if partition in self._leases.held - self._working.keys()],
            key=lambda partition: self._last_turns.get(partition, 0),
        )
        free = self._partitions_at_once_max - len(self._working)
        self._others_wait = len(waiting) > free
        for partition in waiting[:free]:
            self._turn += 1
            self._last_turns[partition] = self._turn
            self._working[partition] = asyncio.create_task(self._work(partition))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._hinted.wait()

    async def _work(self, partition: int) -> None:
        """Works on a partition until nobody waits in it, it is another's, or another waits for its place.

        If a step fails, the head is tried again after poll_s.
        """
        try:
            while partition in self._leases.held:
                groups: Sequence[QueuedGroup] = await self._queue.head(partition, GROUPS_MAX)
                if not groups:
                    return
                groups = self._first_that_fit(groups)
                # If it takes too long, that is what it is left with.
                size = self._sizes.pop(partition, self._size_max)
                self._sizes[partition] = max(1, size // 2)
                with tracing.linked_span("queue", *[group.trace_parent for group in groups]):
                    undecided = await self._settle(partition, groups, size)
                self._sizes[partition] = self._next_size(size, undecided)
                if undecided:
                    await asyncio.sleep(self._poll_s)
                if self._others_wait:
                    return
        except ServiceError as error:
            log.warning("a partition waits", partition=partition, reason=error.reason)
            await asyncio.sleep(self._poll_s)
        except Exception as error:  # noqa: BLE001 - the next look tries again.
            log.error("a partition failed", partition=partition, error=type(error).__name__)  # noqa: TRY400 - as above.
            await asyncio.sleep(self._poll_s)
        finally:
            del self._working[partition]
            # Another partition may have its turn now; or somebody came in after the last look at this one.
            self._hinted.set()

    def _next_size(self, size: int, undecided: Sequence[ServiceError]) -> int:
        if not undecided:
            return min(self._size_max, size * 2)
        # Who met a conflict meets it among fewer as well.
        return size if any(isinstance(error, ConflictRetriesExhausted) for error in undecided) else max(1, size // 2)

    def _first_that_fit(self, groups: Sequence[QueuedGroup]) -> Sequence[QueuedGroup]:
        """As many of the first groups as are settled together: the first one, and those that do not exceed size_max with it."""
        size = 0
        for count, group in enumerate(groups):
            size += len(group.order_ids)
            if size > self._size_max:
                return groups[: max(count, 1)]
        return groups

    async def _settle(self, partition: int, groups: Sequence[QueuedGroup], size: int) -> list[ServiceError]:
        """Has the first `size` undecided orders of a partition's first groups decided; answers the errors of those that were not."""
        order_ids = [order_id for group in groups for order_id in group.order_ids]
        places = {order_id: place for place, order_id in enumerate(order_ids)}
        orders = await self._orders.get_durable(order_ids)
        waiting = sorted([order for order in orders if order.is_queued], key=lambda order: places[order.id])
        outcomes = await self._processing.settle(waiting[:size], Deadline.after(self._timeout_s))
        await self._queue.close(partition, groups)
        undecided = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
        if undecided:
            log.warning("still in line", partition=partition, orders=len(undecided))
        return undecided
