"""`optimistic`: a reservation looks without a lock, and is undone and tried again if somebody changed its discs meanwhile."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from catalog_service.metrics import StockStats
from catalog_service.stock.errors import ConflictRetriesExhausted
from catalog_service.stock.model import Reservation, ReservationRequest
from catalog_service.stock.reservations import DECIDED
from catalog_service.stock.strategies.deciding import Decision, answer, decide
from service_runtime import failpoints
from service_runtime.database import Database, DatabaseUnavailable, is_rolled_back
from service_runtime.errors import ServiceError

LOOK = "SELECT id, name, artist, price_cents, stock, delete_time FROM discs WHERE id = ANY ($1::uuid[])"


@dataclass(frozen=True)
class ConflictRetries:
    """Attempts at most, and the seconds between them: a random time up to backoff_first_s, doubled each time, up to backoff_max_s."""

    attempts_max: int
    backoff_first_s: float
    backoff_max_s: float

    def delay_s(self, attempts: int) -> float:
        """Time to wait after so many attempts."""
        ceiling_s = min(self.backoff_max_s, self.backoff_first_s * 2 ** (attempts - 1))
        return random.uniform(0, ceiling_s)  # noqa: S311 - jitter, not a secret.


class OptimisticStrategy:
    """Works on a snapshot (REPEATABLE READ): PostgreSQL lets it move a disc's stock only if nobody did since (SQLSTATE 40001 if so).

    A refusal moves nothing, so that it stands by what the snapshot shows, which was taken after the call began.
    """

    def __init__(self, *, database: Database, retries: ConflictRetries, stats: StockStats | None = None) -> None:
        self._database = database
        self._stats = stats
        self._retries = retries

    async def reserve_lines(self, requests: Sequence[ReservationRequest]) -> list[Reservation | ServiceError]:
        """Decides requests one after the other, and answers each one's decision, also one that was made before, or RequestIdReused.

        ConflictRetriesExhausted where all attempts were undone: there is no decision then, and nothing is recorded.
        """
        return [await self._reserve(request) for request in requests]

    async def _reserve(self, request: ReservationRequest) -> Reservation | ServiceError:
        for attempt in range(1, self._retries.attempts_max + 1):
            try:
                decision = await self._attempt(request)
            except DatabaseUnavailable as error:
                if not is_rolled_back(error):
                    raise
            else:
                await failpoints.reach("catalog.decided")
                return answer(request, decision, self._stats)
            if attempt < self._retries.attempts_max:
                await asyncio.sleep(self._retries.delay_s(attempt))
        return ConflictRetriesExhausted({"reservation_id": str(request.id)})

    async def _attempt(self, request: ReservationRequest) -> Decision:
        try:
            async with self._database.transaction(isolation="repeatable_read") as connection:
                return await decide(connection, request, look=LOOK)
        except asyncpg.UniqueViolationError:
            rows = await self._database.fetch(DECIDED, request.id, request.lines.ids)
            return Decision(rows, is_new=False)
