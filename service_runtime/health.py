"""grpc.health.v1, driven by whether the database answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from service_runtime.errors import Unavailable
from service_runtime.metric_page import Cell

SERVING: int = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: int = health_pb2.HealthCheckResponse.NOT_SERVING

log = structlog.get_logger(__name__)


class DrainingHealthServicer(health_aio.HealthServicer):  # type: ignore[misc]  # The library has no types.
    """Ends its Watch streams when the server drains: they would hold the server open until the end of its grace."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Task[None]] = set()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802 - as in the proto.
        watch = asyncio.create_task(super().Watch(request, context))
        self._watches.add(watch)
        try:
            await asyncio.wait([watch])
        finally:
            watch.cancel()
            self._watches.discard(watch)

    async def drain(self) -> None:
        """Answers NOT_SERVING from now on, tells the watchers so, and ends them."""
        await self.enter_graceful_shutdown()
        await asyncio.sleep(0)  # Lets each watcher, which is awake now, write its last status.
        for watch in self._watches:
            watch.cancel()


class HealthMonitor:
    """Asks for a sign of life every interval_s seconds and keeps the health of all services accordingly."""

    def __init__(
        self,
        *,
        servicer: DrainingHealthServicer,
        service_names: Sequence[str],
        ping: Callable[[], Awaitable[None]],
        interval_s: float,
        timeout_s: float,
        serving: Cell | None = None,
    ) -> None:
        self._serving = serving
        self._servicer = servicer
        self._names = ("", *service_names)
        self._ping = ping
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._status = NOT_SERVING

    async def start(self) -> None:
        """Begins as NOT_SERVING, until the first sign of life."""
        await self._set(NOT_SERVING)

    async def run(self) -> None:
        """Never returns; its owner cancels it."""
        while True:
            status = await self._ask()
            if status != self._status:
                log.info("health changed", serving=status == SERVING)
                await self._set(status)
            await asyncio.sleep(self._interval_s)

    async def _ask(self) -> int:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._ping()
        except (Unavailable, TimeoutError):
            return NOT_SERVING
        return SERVING

    async def _set(self, status: int) -> None:
        self._status = status
        if self._serving is not None:
            self._serving.set(status == SERVING)
        for name in self._names:
            await self._servicer.set(name, status)
