"""Repeats a call that is safe to repeat, until it is answered or the caller's time is up."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from recordshop.error_details import error_from_rpc
from recordshop.errors import (
    CancelledRemotely,
    ConflictRetriesExhausted,
    DeadlineExceeded,
    ResourceExhausted,
    ShopError,
    Unavailable,
)
from recordshop.trace_context import trace_metadata

Request = TypeVar("Request")
Response = TypeVar("Response")

# No answer, perhaps because this process of the service is going away: the next attempt may meet another. Or no decision yet.
UNANSWERED = (Unavailable, DeadlineExceeded, CancelledRemotely, ConflictRetriesExhausted)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often, and how patiently, a call is repeated within its caller's deadline.

    Between attempts lies a random time up to backoff_first_s, doubled with every attempt up to backoff_max_s ("full
    jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), on top of what the service
    asked for. No attempt takes longer than attempt_timeout_s, so that one that is lost leaves time for the next.
    """

    attempts_max: int = 10
    attempt_timeout_s: float = 2.0
    backoff_first_s: float = 0.05
    backoff_max_s: float = 1.0

    def delay_s(self, attempts: int, error: ShopError) -> float:
        """Time to wait after so many attempts, the last of which ended in `error`."""
        ceiling_s = min(self.backoff_max_s, self.backoff_first_s * 2 ** (attempts - 1))
        return (error.retry_after_s or 0.0) + random.uniform(0.0, ceiling_s)  # noqa: S311 - spreads load, guards no secret.


DEFAULT_RETRY = RetryPolicy()


async def call(
    method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]",
    request: Request,
    *,
    timeout_s: float,
    policy: RetryPolicy,
    conclude: Callable[[Sequence[ShopError]], ShopError],
) -> Response:
    """Sends one and the same request until it is answered; raises what `conclude` makes of the errors of all attempts.

    Ends within timeout_s. The first attempt fails at once where nobody listens; later ones wait for a connection, so
    that a service that comes back is met at once.
    """
    if timeout_s <= 0:
        raise ValueError("timeout_s must be positive: a call without time could never be answered")
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    errors: list[ShopError] = []
    metadata = trace_metadata()
    while True:
        left_s = deadline_s - loop.time()
        if errors and left_s <= 0:
            # An attempt without time would be sent to nobody, and yet count as one whose outcome is unknown.
            raise conclude(errors)
        try:
            return await method(
                request,
                timeout=min(policy.attempt_timeout_s, left_s),
                metadata=metadata,
                wait_for_ready=bool(errors),
            )
        except grpc.aio.AioRpcError as rpc_error:
            errors.append(error_from_rpc(rpc_error))
            errors[-1].__cause__ = rpc_error
        delay_s = policy.delay_s(len(errors), errors[-1])
        out_of_attempts = len(errors) >= policy.attempts_max
        if out_of_attempts or not is_worth_repeating(errors[-1]) or delay_s >= deadline_s - loop.time():
            raise conclude(errors)
        await asyncio.sleep(delay_s)


def is_worth_repeating(error: ShopError) -> bool:
    """Whether another attempt may be answered otherwise. A limit was reached: only if the service said when to come back."""
    return isinstance(error, UNANSWERED) or (isinstance(error, ResourceExhausted) and error.retry_after_s is not None)
