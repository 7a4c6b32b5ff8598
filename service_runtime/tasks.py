"""Durable work: it is begun for a caller, and ends without one."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from service_runtime.errors import Overloaded, ServiceError
from service_runtime.metric_page import Cell

Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)


class DurableTasks:
    """Owns tasks whose callers may go away: a cancelled handler never cancels a step that may have been committed."""

    def __init__(self, *, running_max: int, drain_timeout_s: float, refused: Cell | None = None) -> None:
        self._refused = refused
        self._running: set[asyncio.Task[Any]] = set()
        self._running_max = running_max
        self._drain_timeout_s = drain_timeout_s

    async def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Runs work to its end and answers its result; raises Overloaded, with the work not begun, when too much runs already."""
        if len(self._running) >= self._running_max:
            work.close()
            if self._refused is not None:
                self._refused.add()
            raise Overloaded
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        # Asking for the exception marks it as seen: its caller may be gone. What the service decided is not worth a line.
        error = task.exception()
        if error is not None and not isinstance(error, ServiceError):
            log.error("durable work failed", error=type(error).__name__)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets what runs finish, for drain_timeout_s seconds; recovery finishes the rest one day."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=self._drain_timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
