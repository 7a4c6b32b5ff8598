"""Hybrid settling under guard: whatever becomes of a probe, the catalog is tried again."""

from collections.abc import Sequence
from typing import cast

import pytest

from order_service.hybrid import GuardedSettling
from order_service.model import Order
from order_service.processing import OrderProcessing, Outcome
from service_runtime.circuit_breaker import BreakerState, CircuitBreaker
from service_runtime.deadline import Deadline


class Broken:
    """Fails in a way that nobody foresaw."""

    async def settle(self, orders: Sequence[Order], _: Deadline) -> list[Outcome]:
        raise RuntimeError(len(orders))


async def test_a_probe_that_fails_in_an_unforeseen_way_does_not_keep_the_others_out_for_ever() -> None:
    now_s = 0.0
    breaker = CircuitBreaker(failures_max=1, open_s=10.0, clock=lambda: now_s)
    processing = cast("OrderProcessing", Broken())
    guarded = GuardedSettling(processing=processing, breaker=breaker, slow_s=1.0, timeout_s=1.0)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await guarded.settle([])
        assert breaker.state is BreakerState.OPEN
        now_s += 10.0
        assert breaker.state is BreakerState.HALF_OPEN
