"""Denying at a glance: what is sold out needs no lock to be refused."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from catalog_service.metrics import StockStats
from catalog_service.stock.model import ReservationRequest
from service_runtime import failpoints
from service_runtime.database import Connection, Database

# The stock is read as of the statement's start, which is after the calls that ask: fewer copies were left at that moment than each of these
# wanted, and that is all that a refusal says. Nothing is taken, so that nobody needs to wait for the row.
# An id that the ledger has learnt meanwhile stays what it is: skipping it loses nothing here, as no stock moved along with it.
DENY = """
INSERT INTO reservations (
    disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left, reason
)
SELECT
    discs.id, asked.reservation_id, 'DENIED', asked.quantity, 1, asked.fingerprint,
    discs.name, discs.artist, discs.price_cents, discs.stock, 'OUT_OF_STOCK'
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::bytea[]) AS asked (disc_id, reservation_id, quantity, fingerprint)
JOIN discs ON discs.id = asked.disc_id
WHERE discs.stock < asked.quantity AND discs.delete_time IS NULL
ORDER BY discs.id, asked.reservation_id
ON CONFLICT DO NOTHING
RETURNING reservation_id, stock_left
"""


class DenialLedger:
    """Denies reservations of discs that are sold out."""

    def __init__(self, *, database: Database, stats: StockStats | None = None) -> None:
        self._database = database
        self._stats = stats

    async def deny_sold_out(self, requests: Sequence[ReservationRequest]) -> list[int | None]:
        """Answers, in their order, how many copies were left for each request of one disc that was denied; None where it was not."""
        columns = zip(
            *[(entry.lines.ids[0], entry.id, entry.lines.quantities[0], entry.fingerprint) for entry in requests],
            strict=True,
        )

        async def deny(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(DENY, *columns)

        rows = await self._database.run(deny)
        await failpoints.reach("catalog.denied")
        if self._stats is not None:
            self._stats.denied(len(rows))
        denied: dict[UUID, int] = {row["reservation_id"]: row["stock_left"] for row in rows}
        return [denied.get(entry.id) for entry in requests]
