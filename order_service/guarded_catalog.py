"""The catalog behind a circuit breaker: one that has lately been down, or slow, is not asked for a while."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from order_service.catalog_client import Catalog
from order_service.errors import CatalogUnavailable
from order_service.model import Order, OrderDraft, StockAnswer
from service_runtime.circuit_breaker import CircuitBreaker
from service_runtime.deadline import Deadline
from service_runtime.errors import ServiceError

Answer = TypeVar("Answer")


class GuardedCatalog:
    """Asks the catalog what it is asked, or raises CatalogUnavailable at once while the breaker is open.

    A question that takes more than slow_s seconds counts as one without an answer. Only the catalog's own time counts.
    """

    def __init__(self, *, catalog: Catalog, breaker: CircuitBreaker, slow_s: float) -> None:
        self._catalog = catalog
        self._breaker = breaker
        self._slow_s = slow_s

    async def reserve_stock(self, orders: Sequence[Order], deadline: Deadline) -> list[StockAnswer | ServiceError]:
        """Asks as CatalogClient does; an order that the catalog could not answer counts against it."""
        return await self._ask(
            lambda: self._catalog.reserve_stock(orders, deadline),
            is_well=lambda answers: not any(isinstance(answer, CatalogUnavailable) for answer in answers),
        )

    async def deny_sold_out(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[int | None]:
        """Asks as CatalogClient does."""
        return await self._ask(lambda: self._catalog.deny_sold_out(drafts, deadline))

    async def release_stock(self, order: Order, deadline: Deadline) -> None:
        """Asks as CatalogClient does."""
        await self._ask(lambda: self._catalog.release_stock(order, deadline))

    async def _ask(
        self, question: Callable[[], Awaitable[Answer]], *, is_well: Callable[[Answer], bool] = lambda _: True
    ) -> Answer:
        era = self._breaker.begin()
        if era is None:
            raise CatalogUnavailable
        begun_s = time.monotonic()
        is_answered = False
        try:
            answer = await question()
            is_answered = is_well(answer) and time.monotonic() - begun_s <= self._slow_s
        finally:
            # Whatever it met: a probe that never ended would keep all others from trying.
            if is_answered:
                self._breaker.succeed(era)
            else:
                self._breaker.fail(era)
        return answer
