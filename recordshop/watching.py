"""Follows a stream over its breaks, until it ends by itself or the caller's time is up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import grpc

from recordshop.error_details import error_from_rpc
from recordshop.errors import ShopError
from recordshop.retry import RetryPolicy, is_worth_repeating

Request = TypeVar("Request")
Response = TypeVar("Response")


async def follow(
    method: "grpc.aio.UnaryStreamMultiCallable[Request, Response]",
    request: Callable[[], Request],
    *,
    timeout_s: float,
    policy: RetryPolicy,
) -> AsyncIterator[Response]:
    """Answers a stream's messages; opens it again, with what `request` answers then, whenever it breaks and that is worth it.

    Attempts are counted from the last message on, or from the last stream that stood for longer than one attempt at a call may take. Raises
    why it broke the last time, which is DeadlineExceeded when the time is up.
    """
    if timeout_s <= 0:
        raise ValueError("timeout_s must be positive: a watch without time could never be answered")
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    errors: list[ShopError] = []
    while True:
        opened_s = loop.time()
        call = method(request(), timeout=deadline_s - opened_s, wait_for_ready=bool(errors))
        try:
            async for message in call:
                errors.clear()
                yield message
        except grpc.aio.AioRpcError as rpc_error:
            if loop.time() - opened_s > policy.attempt_timeout_s:
                errors.clear()
            errors.append(error_from_rpc(rpc_error))
            errors[-1].__cause__ = rpc_error
        else:
            return
        finally:
            call.cancel()
        delay_s = policy.delay_s(len(errors), errors[-1])
        out_of_attempts = len(errors) >= policy.attempts_max
        if out_of_attempts or not is_worth_repeating(errors[-1]) or delay_s >= deadline_s - loop.time():
            raise errors[-1]
        await asyncio.sleep(delay_s)
