"""The time that a call has left."""

import time
from typing import Any, Self

import grpc


class Deadline:
    """A moment on the monotonic clock after which nobody waits for the answer."""

    __slots__ = ("at_s",)

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    @classmethod
    def after(cls, timeout_s: float) -> Self:
        """Ends timeout_s seconds from now."""
        return cls(time.monotonic() + timeout_s)

    @classmethod
    def of_call(cls, context: grpc.aio.ServicerContext[Any, Any], *, at_most_s: float) -> Self:
        """Ends with the caller's deadline, or after at_most_s seconds if that is sooner or the caller gave none."""
        remaining_s = context.time_remaining()
        return cls.after(at_most_s if remaining_s is None or remaining_s > at_most_s else remaining_s)

    def remaining_s(self) -> float:
        """Seconds left; 0 when it has passed."""
        return max(0.0, self.at_s - time.monotonic())

    def at_most(self, timeout_s: float) -> float:
        """Seconds that a step may take which would take timeout_s by itself: what is forwarded to a neighbour."""
        return min(self.remaining_s(), timeout_s)

    def passed(self) -> bool:
        """Whether nobody waits any more."""
        return self.remaining_s() <= 0
