"""`atomic`: a reservation is one statement, whose UPDATE takes the copies only if there are enough."""

from collections.abc import Sequence

import asyncpg

from catalog_service.metrics import StockStats
from catalog_service.stock.changes import KEEP_CHANGES
from catalog_service.stock.model import Reservation, ReservationRequest
from catalog_service.stock.reservations import ReservationLedger
from catalog_service.stock.strategies.deciding import Decision, answer
from service_runtime import failpoints
from service_runtime.database import Connection, Database
from service_runtime.errors import ServiceError

# A row that somebody else is changing is waited for, and its newest version is held against the condition.
# Nothing comes back if the copies were not taken; why not, this statement cannot say: it may have seen the disc before it waited.
TAKE = f"""
WITH moved AS (
    UPDATE discs SET stock = stock - $3, revision = revision + 1
    WHERE id = $2 AND stock >= $3 AND delete_time IS NULL
        AND NOT EXISTS (SELECT 1 FROM reservations WHERE disc_id = $2 AND reservation_id = $1)
    RETURNING id, name, artist, price_cents, revision, stock
), kept AS ({KEEP_CHANGES})
INSERT INTO reservations (
    disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left
)
SELECT id, $1, 'RESERVED', $3, 1, $4, name, artist, price_cents, stock
FROM moved
RETURNING *
"""  # noqa: S608 - put together from constants.


class AtomicStrategy:
    """Takes copies of one disc by a conditional UPDATE; what that does not take, and several lines, the ledger decides under its lock."""

    def __init__(self, *, database: Database, ledger: ReservationLedger, stats: StockStats | None = None) -> None:
        self._database = database
        self._stats = stats
        self._ledger = ledger

    async def reserve_lines(self, requests: Sequence[ReservationRequest]) -> list[Reservation | ServiceError]:
        """Decides requests one after the other, and answers each one's decision, also one that was made before, or RequestIdReused."""
        return [await self._taken(request) or (await self._ledger.reserve_lines([request]))[0] for request in requests]

    async def _taken(self, request: ReservationRequest) -> Reservation | ServiceError | None:
        """Answers None where nothing was taken, as for an id that was decided before."""
        if len(request.lines.ids) > 1:
            return None
        [disc_id], [quantity] = request.lines

        async def take(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(TAKE, request.id, disc_id, quantity, request.fingerprint)

        try:
            row = await self._database.run(take)
        except asyncpg.UniqueViolationError:
            return None
        if row is None:
            return None
        await failpoints.reach("catalog.decided")
        return answer(request, Decision([row], is_new=True), self._stats)
