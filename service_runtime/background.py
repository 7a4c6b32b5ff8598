"""Tasks that run beside what a process is there for, each with an owner."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Owns a task that does the work, from here to the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancelled_quietly(task)


async def cancelled_quietly(task: "asyncio.Task[Any]") -> None:
    """Cancels a task and waits until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
