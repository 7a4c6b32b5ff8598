"""`pessimistic`: a reservation locks its discs, then looks, then takes, in a transaction of its own."""

from collections.abc import Sequence

import asyncpg

from catalog_service.metrics import StockStats
from catalog_service.stock.model import Reservation, ReservationRequest
from catalog_service.stock.reservations import DECIDED
from catalog_service.stock.strategies.deciding import Decision, answer, decide
from service_runtime import failpoints
from service_runtime.database import Connection, Database
from service_runtime.errors import ServiceError

# READ COMMITTED: whoever waited for a lock sees the disc as it is now, and every later statement what was committed before it.
LOCK_AND_LOOK = """
SELECT id, name, artist, price_cents, stock, delete_time FROM discs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
"""


class PessimisticStrategy:
    """Whoever has the lock of a disc decides about it; the others wait for the lock."""

    def __init__(self, *, database: Database, stats: StockStats | None = None) -> None:
        self._database = database
        self._stats = stats

    async def reserve_lines(self, requests: Sequence[ReservationRequest]) -> list[Reservation | ServiceError]:
        """Decides requests one after the other, and answers each one's decision, also one that was made before, or RequestIdReused."""
        return [await self._reserve(request) for request in requests]

    async def _reserve(self, request: ReservationRequest) -> Reservation | ServiceError:
        async def reserve(connection: Connection) -> Decision:
            async with connection.transaction(isolation="read_committed"):
                return await decide(connection, request, look=LOCK_AND_LOOK)

        try:
            decision = await self._database.run(reserve)
        except asyncpg.UniqueViolationError:
            rows = await self._database.fetch(DECIDED, request.id, request.lines.ids)
            decision = Decision(rows, is_new=False)
        await failpoints.reach("catalog.decided")
        return answer(request, decision, self._stats)
