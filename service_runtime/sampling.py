"""What is not counted as it happens, but looked at now and then: the event loop's lag, and the database's pool."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service_runtime.background import beside
from service_runtime.metrics import ServiceMetrics

INTERVAL_S = 0.25


@asynccontextmanager
async def sampling(metrics: ServiceMetrics | None) -> AsyncIterator[None]:
    """Owns the task that samples inside the block; without metrics there is none."""
    if metrics is None:
        yield
        return
    metrics.workers.set(1)
    async with beside(_sample(metrics)):
        yield


async def _sample(metrics: ServiceMetrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + INTERVAL_S
        await asyncio.sleep(INTERVAL_S)
        metrics.loop_lag_s.observe(max(0.0, loop.time() - due_s))
        for sample in metrics.samples:
            sample()
