"""The catalog behind its circuit breaker: whatever becomes of a question, the catalog is tried again."""

from collections.abc import Sequence

import pytest

from order_service.errors import CatalogUnavailable, ConflictRetriesExhausted
from order_service.guarded_catalog import GuardedCatalog
from order_service.model import Order, OrderDraft, StockAnswer
from service_runtime.circuit_breaker import BreakerState, CircuitBreaker
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

OPEN_S = 10.0
DEADLINE = Deadline.after(60.0)


class Answers:
    """A catalog that answers what it is told to, or raises it."""

    def __init__(self, answer: list[StockAnswer | ServiceError] | Exception) -> None:
        self.answer = answer
        self.asked = 0

    async def reserve_stock(self, orders: Sequence[Order], deadline: Deadline) -> list[StockAnswer | ServiceError]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def deny_sold_out(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[int | None]:
        raise NotImplementedError

    async def release_stock(self, order: Order, deadline: Deadline) -> None:
        raise NotImplementedError


class Clock:
    """A clock that goes on when it is told to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def guarded(catalog: Answers, *, slow_s: float = 60.0) -> tuple[GuardedCatalog, CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker(failures_max=1, open_s=OPEN_S, clock=clock)
    return GuardedCatalog(catalog=catalog, breaker=breaker, slow_s=slow_s), breaker, clock


async def test_a_probe_that_fails_in_an_unforeseen_way_does_not_keep_the_others_out_for_ever() -> None:
    catalog, breaker, clock = guarded(Answers(RuntimeError()))
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await catalog.reserve_stock([], DEADLINE)
        assert breaker.state is BreakerState.OPEN
        clock.now_s += OPEN_S
        assert breaker.state is BreakerState.HALF_OPEN


@pytest.mark.parametrize(
    ("answer", "slow_s"),
    [(CatalogUnavailable(), 60.0), ([CatalogUnavailable()], 60.0), ([], -1.0)],
    ids=["no answer", "none for an order", "a late answer"],
)
async def test_a_catalog_that_failed_is_not_asked_until_its_time_is_over(
    answer: list[StockAnswer | ServiceError] | Exception, slow_s: float
) -> None:
    behind = Answers(answer)
    catalog, breaker, clock = guarded(behind, slow_s=slow_s)
    if isinstance(answer, Exception):
        with pytest.raises(CatalogUnavailable):
            await catalog.reserve_stock([], DEADLINE)
    else:
        assert await catalog.reserve_stock([], DEADLINE) == answer
    for _ in range(3):
        with pytest.raises(CatalogUnavailable):
            await catalog.reserve_stock([], DEADLINE)
    assert (behind.asked, breaker.state) == (1, BreakerState.OPEN)
    clock.now_s += OPEN_S
    behind.answer = CatalogUnavailable()
    with pytest.raises(CatalogUnavailable):
        await catalog.reserve_stock([], DEADLINE)
    assert (behind.asked, breaker.state) == (2, BreakerState.OPEN)


async def test_a_catalog_that_only_met_conflicts_is_asked_again() -> None:
    behind = Answers([ConflictRetriesExhausted()])
    catalog, breaker, _ = guarded(behind)
    for _ in range(3):
        await catalog.reserve_stock([], DEADLINE)
    assert (behind.asked, breaker.state) == (3, BreakerState.CLOSED)
