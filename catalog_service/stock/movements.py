"""The ledger of movements: deliveries, losses and corrections, each decided exactly once."""

import asyncpg

from catalog_service.errors import DiscNotFound
from catalog_service.stock.changes import KEEP_CHANGES
from catalog_service.stock.errors import MovementIdReused
from catalog_service.stock.model import STOCK_MAX, Movement, MovementRequest, MovementState
from service_runtime.database import Connection, Database

# As with reservations: the disc is locked first and then seen as it is now, stock and ledger row are one statement, and the primary key
# undoes the whole of a second equal one. The UPDATE counts from the stock that was read under the lock: it would see its row as of the
# statement's start first, and refuse what a delivery since then allows.
ADJUST = f"""
WITH locked AS (
    SELECT id, stock FROM discs
    WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM stock_movements WHERE disc_id = $1 AND movement_id = $2)
    FOR NO KEY UPDATE
), moved AS (
    UPDATE discs SET stock = locked.stock + $3, revision = discs.revision + 1
    FROM locked
    WHERE discs.id = locked.id AND locked.stock + $3 BETWEEN 0 AND greatest($5, locked.stock)
    RETURNING discs.id, discs.revision, discs.stock
), kept AS ({KEEP_CHANGES})
INSERT INTO stock_movements (disc_id, movement_id, delta, reason, state, stock_left)
SELECT
    locked.id, $2, $3, $4, CASE WHEN moved.id IS NULL THEN 'REFUSED' ELSE 'APPLIED' END, coalesce(moved.stock, locked.stock)
FROM locked LEFT JOIN moved ON moved.id = locked.id
RETURNING *
"""  # noqa: S608 - put together from constants.

# A repeated call writes, so that its answer waits for a synchronous standby like the first one's did.
DECIDED = """
UPDATE stock_movements SET attempts = attempts + 1 WHERE disc_id = $1 AND movement_id = $2 RETURNING *
"""


class MovementLedger:
    """Moves stock that no order moves."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def adjust(self, request: MovementRequest) -> Movement:
        """Decides a movement, or answers what was decided for its id before.

        Raises DiscNotFound, or MovementIdReused if the id stands for another delta or reason.
        """
        row = await self._decide(request) or await self._database.fetchrow(DECIDED, request.disc_id, request.id)
        if row is None:
            raise DiscNotFound({"disc_id": str(request.disc_id)})
        movement = movement_from_row(row)
        if (movement.delta, movement.reason) != (request.delta, request.reason):
            raise MovementIdReused({"disc_id": str(request.disc_id), "movement_id": request.id})
        return movement

    async def _decide(self, request: MovementRequest) -> asyncpg.Record | None:
        async def adjust(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                ADJUST, request.disc_id, request.id, request.delta, request.reason, STOCK_MAX
            )

        try:
            return await self._database.run(adjust)
        except asyncpg.UniqueViolationError:
            return None


def movement_from_row(row: asyncpg.Record) -> Movement:
    """Reads one row of the ledger."""
    return Movement(
        disc_id=row["disc_id"],
        id=row["movement_id"],
        delta=row["delta"],
        reason=row["reason"],
        state=MovementState(row["state"]),
        stock_left=row["stock_left"],
        create_time=row["create_time"],
    )
