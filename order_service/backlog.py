"""How much open work there is, and how old it is: looked at now and then, for the metrics."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from order_service.journal import Journal
from order_service.metrics import OpenWorkStats
from service_runtime.background import beside
from service_runtime.errors import ServiceError

INTERVAL_S = 1.0


@asynccontextmanager
async def watched_backlog(journal: Journal, stats: OpenWorkStats) -> AsyncIterator[None]:
    """Owns the task that looks at the journal inside the block."""
    async with beside(_watch(journal, stats)):
        yield


async def _watch(journal: Journal, stats: OpenWorkStats) -> None:
    rows, since_s = 0, None
    while True:
        try:
            rows, age_s = await journal.backlog()
            since_s = time.monotonic() - age_s if rows else None
        except ServiceError:
            # What was open then is open still, as far as anybody knows, and grows older.
            pass
        stats.found(rows, 0.0 if since_s is None else time.monotonic() - since_s)
        await asyncio.sleep(INTERVAL_S)
