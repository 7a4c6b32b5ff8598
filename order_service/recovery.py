"""Recovery: finds open work in the journal and drives it to its end, whoever left it there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from order_service.journal import Journal, OpenWork
from order_service.metrics import FAILED, IDLE_RUN, UNAVAILABLE, WORKED, RecoveryStats
from order_service.processing import OrderProcessing
from order_service.repository import OrderRepository
from order_service.return_processing import ReturnProcessing
from service_runtime import failpoints, tracing
from service_runtime.background import beside
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

log = structlog.get_logger(__name__)


class Recovery:
    """Sweeps the journal every interval_s seconds, at once again after a full batch; several processes may do so together."""

    def __init__(
        self,
        *,
        journal: Journal,
        orders: OrderRepository,
        processing: OrderProcessing,
        returns: ReturnProcessing,
        interval_s: float,
        lease_s: float,
        batch_size: int,
        concurrency: int,
        stats: RecoveryStats | None = None,
    ) -> None:
        self._stats = stats
        self._journal = journal
        self._orders = orders
        self._processing = processing
        self._returns = returns
        self._interval_s = interval_s
        self._lease_s = lease_s
        self._batch_size = batch_size
        self._turns = asyncio.Semaphore(concurrency)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the sweeping task from here to the end of the block."""
        async with beside(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            claimed = 0
            try:
                claimed = await self.sweep()
                self._note_run(WORKED if claimed else IDLE_RUN)
            except ServiceError as error:
                self._note_run(UNAVAILABLE)
                log.warning("recovery waits", reason=error.reason)
            except Exception as error:  # noqa: BLE001 - recovery must outlive whatever one sweep meets.
                self._note_run(FAILED)
                log.error("recovery failed", error=type(error).__name__)  # noqa: TRY400 - texts of errors quote rows.
            if claimed < self._batch_size:
                await asyncio.sleep(self._interval_s)

    def _note_run(self, result: str) -> None:
        if self._stats is not None:
            self._stats.ran(result)

    async def sweep(self) -> int:
        """Drives one batch of open work and answers how many rows of the journal it had."""
        works = await self._journal.claim(self._batch_size)
        await failpoints.reach("recovery.claimed")
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(self._drive(work))
        return len(works)

    async def _drive(self, work: OpenWork) -> None:
        async with self._turns:
            with tracing.linked_span("recovery", work.trace_parent):
                await self._settle(work)

    async def _settle(self, work: OpenWork) -> None:
        try:
            deadline = Deadline.after(self._lease_s)
            orders = await self._orders.get_durable(work.order_ids)
            outcomes = await self._processing.settle(orders, deadline)
            for order in orders:
                await self._returns.settle(order, deadline)
            await failpoints.reach("recovery.settled")
            await self._journal.close(work)
        except ServiceError as error:
            if self._stats is not None:
                self._stats.still_open()
            log.warning("still open", work_id=str(work.id), attempts=work.attempts, reason=error.reason)
        else:
            open_count = sum(isinstance(outcome, ServiceError) for outcome in outcomes)
            if self._stats is not None:
                self._stats.recovered(sum(order.status.is_open for order in orders) - open_count)
            log.info("recovered", work_id=str(work.id), attempts=work.attempts, still_open=open_count)
