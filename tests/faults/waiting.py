"""Waiting for what must become true, for a limited time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")

SETTLE_TIMEOUT_S = 30.0
POLL_S = 0.02


async def eventually(
    read: Callable[[], Awaitable[Answer]], wanted: Callable[[Answer], bool], *, timeout_s: float = SETTLE_TIMEOUT_S
) -> Answer:
    """Reads until the answer is as wanted, and returns it; fails with the last answer after timeout_s seconds."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not wanted(answer := await read()):
        assert loop.time() < deadline_s, f"still {answer!r} after {timeout_s} s"
        await asyncio.sleep(POLL_S)
    return answer
