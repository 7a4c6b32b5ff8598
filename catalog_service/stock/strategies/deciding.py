"""A reservation in steps: look at its discs, look into the ledger, move the stock, write the decision down."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

from catalog_service.metrics import StockStats
from catalog_service.stock.changes import KEEP_CHANGES
from catalog_service.stock.model import Refusal, Reservation, ReservationRequest, ReservationState
from catalog_service.stock.reservations import DECIDED, recorded
from service_runtime.database import Connection
from service_runtime.errors import ServiceError

# The discs are locked in the order of their ids, which everybody keeps to, also where nobody locked them before.
MOVE = f"""
WITH locked AS (
    SELECT id FROM discs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE discs SET stock = discs.stock - line.quantity, revision = discs.revision + 1
    FROM locked JOIN unnest($1::uuid[], $2::integer[]) AS line (disc_id, quantity) ON line.disc_id = locked.id
    WHERE discs.id = locked.id
    RETURNING discs.id, discs.revision, discs.stock
)
{KEEP_CHANGES}
"""  # noqa: S608 - put together from constants.

# No ON CONFLICT: an id that the ledger has learnt meanwhile, as from a release, undoes the whole transaction, stock included.
WRITE_DOWN = """
INSERT INTO reservations (
    disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left, reason
)
SELECT
    disc_id, $1, $2, quantity, cardinality($4::uuid[]), $3, name, artist, price_cents, stock_left, reason
FROM unnest($4::uuid[], $5::integer[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[])
    AS line (disc_id, quantity, name, artist, price_cents, stock_left, reason)
ORDER BY disc_id
RETURNING *
"""


class _Line(NamedTuple):
    disc_id: UUID
    quantity: int
    name: str | None
    artist: str | None
    price_cents: int | None
    stock_left: int | None
    reason: Refusal | None


class Decision(NamedTuple):
    """The ledger's rows of a reservation, and whether they are new, or an earlier decision's."""

    rows: Sequence[asyncpg.Record]
    is_new: bool


async def decide(connection: Connection, request: ReservationRequest, *, look: str) -> Decision:
    """Decides in the transaction that is open, unless that was done before.

    `look` reads the discs of an array of ids. Raises UniqueViolationError if the ledger has learnt of the id in the meantime.
    """
    discs = {row["id"]: row for row in await connection.fetch(look, request.lines.ids)}
    known = await connection.fetch(DECIDED, request.id, request.lines.ids)
    if known:
        return Decision(known, is_new=False)
    lines = [_seen(disc_id, quantity, discs.get(disc_id)) for disc_id, quantity in zip(*request.lines, strict=True)]
    state = ReservationState.DENIED
    if not any(line.reason for line in lines):
        state = ReservationState.RESERVED
        await connection.execute(MOVE, *request.lines)
        lines = [line._replace(stock_left=(line.stock_left or 0) - line.quantity) for line in lines]
    columns = zip(*lines, strict=True)
    written = await connection.fetch(WRITE_DOWN, request.id, state, request.fingerprint, *columns)
    return Decision(written, is_new=True)


def answer(request: ReservationRequest, decision: Decision, stats: StockStats | None) -> Reservation | ServiceError:
    """Answers a decision that is committed, and counts it if it is new."""
    outcome = recorded(request, decision.rows)
    if decision.is_new and stats is not None and isinstance(outcome, Reservation):
        stats.decided([outcome.refusal])
    return outcome


def _seen(disc_id: UUID, quantity: int, disc: asyncpg.Record | None) -> _Line:
    """A line before anything is taken, with the reason that speaks against it."""
    if disc is None:
        return _Line(disc_id, quantity, None, None, None, None, Refusal.DISC_NOT_FOUND)
    reason = None
    if disc["delete_time"] is not None:
        reason = Refusal.DISC_DELETED
    elif disc["stock"] < quantity:
        reason = Refusal.OUT_OF_STOCK
    return _Line(disc_id, quantity, disc["name"], disc["artist"], disc["price_cents"], disc["stock"], reason)
