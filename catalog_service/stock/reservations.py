"""The ledger of reservations: each id is decided exactly once, together with the stock that it takes."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from catalog_service.metrics import StockStats
from catalog_service.stock.changes import KEEP_CHANGES
from catalog_service.stock.errors import RequestIdReused, ReservationDiscsDiffer, ReservationNotFound
from catalog_service.stock.model import (
    Refusal,
    ReleaseRequest,
    Reservation,
    ReservationLine,
    ReservationRequest,
    ReservationState,
)
from service_runtime import failpoints
from service_runtime.database import Connection, Database
from service_runtime.errors import ServiceError

# One statement, so that stock and ledger cannot part. The discs are locked in the order of their ids, which everybody keeps to, and are
# then seen as they are now, not as they were when the statement began. All lines fit, or none is taken.
# The UPDATE counts from the stock that was read under the lock. It sees its rows as of the statement's start first: were it to ask for
# their stock again, it would leave out a disc whose copies came back meanwhile, without a reason and without undoing the other lines;
# were it to subtract from theirs, the table's CHECK would stop it.
# An id that is in the ledger already locks and inserts nothing. Two equal ids at once get past that look: the primary key stops the
# second one and undoes its whole statement, stock included. ON CONFLICT DO NOTHING would keep the UPDATE, and leak stock.
RESERVE = f"""
WITH asked AS (
    SELECT disc_id, quantity FROM unnest($2::uuid[], $3::integer[]) AS line (disc_id, quantity)
), unseen AS (
    SELECT NOT EXISTS (SELECT 1 FROM reservations WHERE disc_id = ANY ($2::uuid[]) AND reservation_id = $1) AS yes
), locked AS (
    SELECT id, name, artist, price_cents, stock, delete_time
    FROM discs
    WHERE id = ANY ($2::uuid[]) AND (SELECT yes FROM unseen)
    ORDER BY id
    FOR NO KEY UPDATE
), line AS (
    SELECT
        asked.disc_id, asked.quantity, locked.name, locked.artist, locked.price_cents, locked.stock,
        CASE
            WHEN locked.id IS NULL THEN 'DISC_NOT_FOUND'
            WHEN locked.delete_time IS NOT NULL THEN 'DISC_DELETED'
            WHEN locked.stock < asked.quantity THEN 'OUT_OF_STOCK'
        END AS reason
    FROM asked LEFT JOIN locked ON locked.id = asked.disc_id
), moved AS (
    UPDATE discs SET stock = line.stock - line.quantity, revision = discs.revision + 1
    FROM line
    WHERE discs.id = line.disc_id
        AND NOT EXISTS (SELECT 1 FROM line AS other WHERE other.reason IS NOT NULL)
    RETURNING discs.id, discs.revision, discs.stock
), kept AS ({KEEP_CHANGES})
INSERT INTO reservations (
    disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left, reason
)
SELECT
    line.disc_id, $1, CASE WHEN moved.id IS NULL THEN 'DENIED' ELSE 'RESERVED' END, line.quantity, cardinality($2::uuid[]), $4,
    line.name, line.artist, line.price_cents, coalesce(moved.stock, line.stock), line.reason
FROM line LEFT JOIN moved ON moved.id = line.disc_id
WHERE (SELECT yes FROM unseen)
ORDER BY line.disc_id
RETURNING *
"""  # noqa: S608 - put together from constants.

# The lock makes this read a write: its commit waits for a synchronous standby, so that a decision is never acknowledged that only the
# primary knows. It stands in nobody's way.
# Reservations of one line each, of any discs, as one statement too: see the function.
RESERVE_SINGLES = "SELECT * FROM reserve_stock($1, $2, $3, $4)"

DECIDED_SINGLES = """
SELECT reservations.*
FROM unnest($1::uuid[], $2::uuid[]) AS asked (disc_id, reservation_id)
JOIN reservations USING (disc_id, reservation_id)
ORDER BY disc_id, reservation_id
FOR KEY SHARE OF reservations
"""

DECIDED = """
SELECT * FROM reservations
WHERE disc_id = ANY ($2::uuid[]) AND reservation_id = $1
ORDER BY disc_id
FOR KEY SHARE
"""

TOMBSTONE = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count)
SELECT disc_id, $1, 'RELEASED', 0, cardinality($2::uuid[]) FROM unnest($2::uuid[]) AS line (disc_id)
ORDER BY disc_id
ON CONFLICT DO NOTHING
RETURNING *
"""

LOCK_DISCS = "SELECT id FROM discs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"

GIVE_BACK = f"""
WITH released AS (
    UPDATE reservations SET state = 'RELEASED', update_time = now()
    WHERE disc_id = ANY ($2::uuid[]) AND reservation_id = $1 AND state = 'RESERVED'
    RETURNING disc_id, quantity - coalesce(returned, 0) AS held
), moved AS (
    UPDATE discs SET stock = discs.stock + released.held, revision = discs.revision + 1
    FROM released
    WHERE discs.id = released.disc_id
    RETURNING discs.id, discs.revision, discs.stock
)
{KEEP_CHANGES}
"""  # noqa: S608 - put together from constants.


ROUNDS_MAX = 3


class ReservationLedger:
    """Takes stock and gives it back."""

    def __init__(self, *, database: Database, stats: StockStats | None = None) -> None:
        self._database = database
        self._stats = stats

    async def reserve_lines(self, requests: Sequence[ReservationRequest]) -> list[Reservation | ServiceError]:
        """Decides requests of several lines, one after the other; answers as reserve_singles does."""
        return [await self._reserve_lines(request) for request in requests]

    async def _reserve_lines(self, request: ReservationRequest) -> Reservation | ServiceError:
        rows = await self._decide_lines(request)
        if rows and self._stats is not None:
            self._stats.decided([_reservation(rows).refusal])
        rows = rows or await self._database.fetch(DECIDED, request.id, request.lines.ids)
        await failpoints.reach("catalog.decided")
        return recorded(request, rows)

    async def _decide_lines(self, request: ReservationRequest) -> list[asyncpg.Record]:
        async def reserve(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(RESERVE, request.id, *request.lines, request.fingerprint)

        try:
            return await self._database.run(reserve)
        except asyncpg.UniqueViolationError:
            return []

    async def reserve_singles(self, requests: Sequence[ReservationRequest]) -> list[Reservation | ServiceError]:
        """Decides requests of one line each, with ids that differ, in their order and in one statement.

        Answers each request's decision, also one that was made before, or RequestIdReused if its id stands for other lines. Raises
        DatabaseUnavailable if nothing is known.
        """
        decided: dict[UUID, Reservation | ServiceError] = {}
        for _ in range(ROUNDS_MAX):
            undecided = [request for request in requests if request.id not in decided]
            decided |= await self._decide_singles(undecided)
            await failpoints.reach("catalog.decided")
            undecided = [request for request in requests if request.id not in decided]
            if undecided:
                decided |= await self._recorded_singles(undecided)
            if len(decided) == len(requests):
                return [decided[request.id] for request in requests]
        # Releases of these very ids keep coming in between: one by one, a conflict concerns nobody else.
        return [
            decided[request.id] if request.id in decided else await self._reserve_lines(request) for request in requests
        ]

    async def _decide_singles(self, requests: Sequence[ReservationRequest]) -> dict[UUID, Reservation]:
        """Answers what was decided now: nothing for ids that the ledger knew, and nothing at all if it learnt one meanwhile."""
        disc_ids = [request.lines.ids[0] for request in requests]
        quantities = [request.lines.quantities[0] for request in requests]
        ids = [request.id for request in requests]
        fingerprints = [request.fingerprint for request in requests]

        async def reserve(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(RESERVE_SINGLES, disc_ids, ids, quantities, fingerprints)

        try:
            rows = await self._database.run(reserve)
        except asyncpg.UniqueViolationError:
            return {}
        if self._stats is not None:
            self._stats.decided([row["reason"] for row in rows])
        return {ids[row["place"] - 1]: _single(requests[row["place"] - 1], row) for row in rows}

    async def _recorded_singles(self, requests: Sequence[ReservationRequest]) -> dict[UUID, Reservation | ServiceError]:
        disc_ids = [request.lines.ids[0] for request in requests]
        ids = [request.id for request in requests]
        rows = await self._database.fetch(DECIDED_SINGLES, disc_ids, ids)
        by_id = {row["reservation_id"]: row for row in rows}
        return {request.id: recorded(request, [by_id[request.id]]) for request in requests if request.id in by_id}

    async def release(self, request: ReleaseRequest) -> Reservation:
        """Gives a reservation's copies back once, or marks an id that was never seen so that a late reserve takes nothing.

        Two statements: as one, racing the reserve, it would neither find that row nor be able to insert its own.
        Raises ReservationDiscsDiffer, with nothing changed.
        """

        async def release(connection: Connection) -> list[asyncpg.Record]:
            async with connection.transaction():
                tombstone = await connection.fetch(TOMBSTONE, request.id, request.disc_ids)
                if len(tombstone) == len(request.disc_ids):
                    return tombstone
                decided = await connection.fetch(DECIDED, request.id, request.disc_ids)
                if tombstone or decided[0]["line_count"] != len(request.disc_ids):
                    raise ReservationDiscsDiffer({"reservation_id": str(request.id)})
                await connection.execute(LOCK_DISCS, request.disc_ids)
                await connection.execute(GIVE_BACK, request.id, request.disc_ids)
                return await connection.fetch(DECIDED, request.id, request.disc_ids)

        released = _reservation(await self._database.run(release))
        await failpoints.reach("catalog.released")
        return released

    async def get(self, reservation_id: UUID, disc_ids: Sequence[UUID]) -> Reservation:
        """Answers what was decided; raises ReservationNotFound."""
        rows = await self._database.fetch(DECIDED, reservation_id, disc_ids)
        if not rows:
            raise ReservationNotFound({"reservation_id": str(reservation_id)})
        return _reservation(rows)


def line_from_row(row: asyncpg.Record) -> ReservationLine:
    """Reads one row of the ledger."""
    return ReservationLine(
        disc_id=row["disc_id"],
        quantity=row["quantity"],
        name=row["name"],
        artist=row["artist"],
        price_cents=row["price_cents"],
        stock_left=row["stock_left"],
        refusal=Refusal(row["reason"]) if row["reason"] else None,
        returned=row["returned"] or 0,
    )


def _single(request: ReservationRequest, row: asyncpg.Record) -> Reservation:
    [disc_id], [quantity] = request.lines
    refusal = Refusal(row["reason"]) if row["reason"] else None
    line = ReservationLine(
        disc_id, quantity, row["name"], row["artist"], row["price_cents"], row["stock_left"], refusal
    )
    state = ReservationState.DENIED if refusal else ReservationState.RESERVED
    return Reservation(request.id, state, [line], row["decide_time"], row["decide_time"])


def recorded(request: ReservationRequest, rows: Sequence[asyncpg.Record]) -> Reservation | ServiceError:
    """Answers what the ledger says for a request; a tombstone stands for any lines."""
    if rows[0]["fingerprint"] not in {None, request.fingerprint}:
        return RequestIdReused({"reservation_id": str(request.id)})
    return _reservation(rows)


def _reservation(rows: Sequence[asyncpg.Record]) -> Reservation:
    first = rows[0]
    return Reservation(
        id=first["reservation_id"],
        state=ReservationState(first["state"]),
        lines=[line_from_row(row) for row in sorted(rows, key=lambda row: row["disc_id"])],
        create_time=first["create_time"],
        update_time=first["update_time"],
    )
