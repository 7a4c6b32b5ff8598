"""The ledger of returns: copies of a reservation come back, each return exactly once, together with the stock that it moves."""

from collections.abc import Sequence

import asyncpg

from catalog_service.stock.changes import KEEP_CHANGES
from catalog_service.stock.errors import RequestIdReused, ReservationNotFound, ReturnExceedsHeld
from catalog_service.stock.model import Disposition, ReturnRequest, StockReturn
from catalog_service.stock.reservations import LOCK_DISCS
from service_runtime import failpoints
from service_runtime.database import Connection, Database
from service_runtime.quantities import Lines

# Everybody who changes a line that is held locks its disc first, so that this statement, which begins with the locks in hand, sees the
# lines as they are until its commit: a return whose id is known, or of which any line asks for more than is held, finds nothing to do.
# What is written off comes back, and leaves by a movement: the shelf keeps what it had, and opening + movements = left + held holds.
RETURN = f"""
WITH asked AS (
    SELECT disc_id, quantity FROM unnest($3::uuid[], $4::integer[]) AS line (disc_id, quantity)
), fitting AS (
    SELECT asked.disc_id, asked.quantity
    FROM asked JOIN reservations AS held ON held.disc_id = asked.disc_id AND held.reservation_id = $2
    WHERE held.state = 'RESERVED' AND coalesce(held.returned, 0) + asked.quantity <= held.quantity
        AND NOT EXISTS (SELECT 1 FROM stock_returns AS known WHERE known.disc_id = asked.disc_id AND known.return_id = $1)
), line AS (
    SELECT disc_id, quantity FROM fitting WHERE (SELECT count(*) FROM fitting) = cardinality($3::uuid[])
), counted AS (
    UPDATE reservations SET returned = coalesce(reservations.returned, 0) + line.quantity, update_time = now()
    FROM line
    WHERE reservations.disc_id = line.disc_id AND reservations.reservation_id = $2
), moved AS (
    UPDATE discs SET
        stock = discs.stock + CASE $6 WHEN 'RESTOCK' THEN line.quantity ELSE 0 END,
        revision = discs.revision + 1
    FROM line
    WHERE discs.id = line.disc_id
    RETURNING discs.id, discs.revision, discs.stock
), kept AS ({KEEP_CHANGES}), written_off AS (
    INSERT INTO stock_movements (disc_id, movement_id, delta, reason, state, stock_left)
    SELECT line.disc_id, 'return/' || $1, -line.quantity, 'WRITE_OFF: returned from order ' || $2, 'APPLIED', moved.stock
    FROM line JOIN moved ON moved.id = line.disc_id
    WHERE $6 = 'WRITE_OFF'
    ORDER BY line.disc_id
)
INSERT INTO stock_returns (disc_id, return_id, reservation_id, quantity, disposition, fingerprint, stock_left)
SELECT line.disc_id, $1, $2, line.quantity, $6, $5, moved.stock
FROM line JOIN moved ON moved.id = line.disc_id
ORDER BY line.disc_id
RETURNING *
"""  # noqa: S608 - put together from constants.

# The lock makes this read a write: its commit waits for a synchronous standby. It stands in nobody's way, and nobody who asks again waits
# for a disc.
DECIDED = """
SELECT stock_returns.*
FROM stock_returns JOIN reservations USING (disc_id, reservation_id)
WHERE stock_returns.disc_id = ANY ($2::uuid[]) AND stock_returns.return_id = $1
ORDER BY disc_id
FOR KEY SHARE OF reservations
"""

HELD = """
SELECT disc_id, CASE state WHEN 'RESERVED' THEN quantity - coalesce(returned, 0) ELSE 0 END AS held
FROM reservations
WHERE disc_id = ANY ($2::uuid[]) AND reservation_id = $1
"""


class ReturnLedger:
    """Takes copies back from reservations that hold them."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def take_back(self, request: ReturnRequest) -> StockReturn:
        """Answers the return, also one that was made before under its id.

        Raises RequestIdReused if the id stands for something else; ReservationNotFound or ReturnExceedsHeld with nothing changed. Those
        need not be recorded: what a reservation holds only shrinks.
        """

        async def take_back(connection: Connection) -> list[asyncpg.Record]:
            if known := await connection.fetch(DECIDED, request.id, request.lines.ids):
                return known
            async with connection.transaction():
                await connection.execute(LOCK_DISCS, request.lines.ids)
                rows = await connection.fetch(
                    RETURN, request.id, request.reservation_id, *request.lines, request.fingerprint, request.disposition
                )
                rows = rows or await connection.fetch(DECIDED, request.id, request.lines.ids)
                if not rows:
                    raise await _refusal(connection, request)
                return rows

        returned = _recorded(request, await self._database.run(take_back))
        await failpoints.reach("catalog.returned")
        return returned


async def _refusal(connection: Connection, request: ReturnRequest) -> ReservationNotFound | ReturnExceedsHeld:
    rows = await connection.fetch(HELD, request.reservation_id, request.lines.ids)
    held = {row["disc_id"]: row["held"] for row in rows}
    metadata = {"reservation_id": str(request.reservation_id)}
    if len(held) < len(request.lines.ids):
        return ReservationNotFound(metadata)
    return ReturnExceedsHeld(
        metadata
        | {
            "disc_id": ",".join(map(str, request.lines.ids)),
            "asked": ",".join(map(str, request.lines.quantities)),
            "held": ",".join(str(held[disc_id]) for disc_id in request.lines.ids),
        }
    )


def _recorded(request: ReturnRequest, rows: Sequence[asyncpg.Record]) -> StockReturn:
    """What the ledger says of a return, if it is the one that was asked for."""
    first = rows[0]
    recorded = (first["reservation_id"], first["disposition"], first["fingerprint"])
    if recorded != (request.reservation_id, request.disposition, request.fingerprint):
        raise RequestIdReused({"return_id": str(request.id)})
    return StockReturn(
        id=first["return_id"],
        reservation_id=first["reservation_id"],
        lines=Lines(tuple(row["disc_id"] for row in rows), tuple(row["quantity"] for row in rows)),
        disposition=Disposition(first["disposition"]),
        create_time=first["create_time"],
    )
