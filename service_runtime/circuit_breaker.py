"""A circuit breaker: stops asking a neighbour that is down or slow, and tries now and then whether it is well again."""

import time
from collections.abc import Callable
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)


class BreakerState(StrEnum):
    """Whether the neighbour is asked: always, never, or by a few to see how it is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after `failures_max` failures in a row; `open_s` seconds later lets `probes_max` askers through at a time.

    A probe that succeeds closes it, one that fails opens it again. Answers to what was asked before the last change count no more: they say
    how the neighbour was. (Of the packages for this, those that work with asyncio let everybody through as soon as they are half open.)
    """

    def __init__(
        self, *, failures_max: int, open_s: float, probes_max: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._probes_max = probes_max
        self._clock = clock
        self._state = BreakerState.CLOSED
        self._era = 0
        self._failures = 0
        self._probes = 0
        self._opened_s = 0.0

    @property
    def state(self) -> BreakerState:
        """How it is now."""
        if self._state is BreakerState.OPEN and self._clock() >= self._opened_s + self._open_s:
            self._change(BreakerState.HALF_OPEN)
        return self._state

    def begin(self) -> int | None:
        """Asks whether the neighbour may be asked: a number to hand to `succeed` or `fail` afterwards, or None for no."""
        state = self.state
        if state is BreakerState.OPEN:
            return None
        if state is BreakerState.HALF_OPEN:
            if self._probes >= self._probes_max:
                return None
            self._probes += 1
        return self._era

    def succeed(self, era: int) -> None:
        """The neighbour answered, and soon enough."""
        if era != self._era:
            return
        self._failures = 0
        if self._state is BreakerState.HALF_OPEN:
            self._change(BreakerState.CLOSED)

    def fail(self, era: int) -> None:
        """The neighbour did not answer, or took too long over it."""
        if era != self._era:
            return
        self._failures += 1
        if self._state is BreakerState.HALF_OPEN or self._failures >= self._failures_max:
            self._opened_s = self._clock()
            self._change(BreakerState.OPEN)

    def _change(self, state: BreakerState) -> None:
        log.warning("the circuit breaker changes", before=self._state, after=state)
        self._state = state
        self._era += 1
        self._failures = 0
        self._probes = 0
