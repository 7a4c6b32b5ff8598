"""Walks over the ledgers and balances, a page at a time along their keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from catalog_service.stock.model import Balance, Movement, ReservationLine, ReservationState
from catalog_service.stock.movements import movement_from_row
from catalog_service.stock.reservations import line_from_row
from service_runtime.database import Database

START = UUID(int=0)
# A balance adds up all that ever happened to a disc, which may take longer than a sale is allowed to.
BALANCE_TIMEOUT_S = 60

ENTRIES = """
SELECT * FROM reservations
WHERE (disc_id, reservation_id) > ($1, $2) AND ($3::text IS NULL OR state = $3)
ORDER BY disc_id, reservation_id
LIMIT $4
"""

ENTRIES_OF_DISC = """
SELECT * FROM reservations
WHERE disc_id = $1 AND reservation_id > $2 AND ($3::text IS NULL OR state = $3)
ORDER BY disc_id, reservation_id
LIMIT $4
"""

MOVEMENTS = """
SELECT * FROM stock_movements
WHERE (disc_id, movement_id) > ($1, $2)
ORDER BY disc_id, movement_id
LIMIT $3
"""

MOVEMENTS_OF_DISC = """
SELECT * FROM stock_movements
WHERE disc_id = $1 AND movement_id > $2
ORDER BY disc_id, movement_id
LIMIT $3
"""

BALANCE_COLUMNS = """
SELECT
    discs.id AS disc_id, discs.opening_stock AS opening, discs.stock,
    (
        SELECT coalesce(sum(delta), 0)::bigint FROM stock_movements
        WHERE stock_movements.disc_id = discs.id AND stock_movements.state = 'APPLIED'
    ) AS moved,
    (
        SELECT coalesce(sum(quantity - coalesce(returned, 0)), 0)::bigint FROM reservations
        WHERE reservations.disc_id = discs.id AND reservations.state = 'RESERVED'
    ) AS held
FROM discs
"""
BALANCES = f"{BALANCE_COLUMNS} WHERE id > $1 ORDER BY id LIMIT $2"
BALANCES_OF_DISCS = f"{BALANCE_COLUMNS} WHERE id > $1 AND id = ANY ($3::uuid[]) ORDER BY id LIMIT $2"
ALLOW_TIME = f"SET LOCAL statement_timeout = '{BALANCE_TIMEOUT_S}s'"


@dataclass(frozen=True)
class LedgerEntry:
    """One line of one reservation."""

    reservation_id: UUID
    state: ReservationState
    line: ReservationLine
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True)
class EntryPage:
    """Which entries to read: after (disc id, reservation id), limit of them at most."""

    disc_id: UUID | None
    state: ReservationState | None
    after: tuple[UUID, UUID]
    limit: int


@dataclass(frozen=True)
class MovementPage:
    """Which movements to read: after (disc id, movement id), limit of them at most."""

    disc_id: UUID | None
    after: tuple[UUID, str]
    limit: int


@dataclass(frozen=True)
class BalancePage:
    """Which balances to read: of these discs or, if none is named, of all."""

    disc_ids: Sequence[UUID]
    after: UUID
    limit: int


class StockListing:
    """Reads what the ledgers say: a page, and one more row if there is one, which tells that the page is not the last."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def entries(self, page: EntryPage) -> list[LedgerEntry]:
        """Reads reservations in the order of disc id and reservation id."""
        after_disc_id, after_id = page.after
        if page.disc_id is None:
            rows = await self._database.fetch(ENTRIES, after_disc_id, after_id, page.state, page.limit + 1)
        else:
            rows = await self._database.fetch(ENTRIES_OF_DISC, page.disc_id, after_id, page.state, page.limit + 1)
        return [
            LedgerEntry(
                reservation_id=row["reservation_id"],
                state=ReservationState(row["state"]),
                line=line_from_row(row),
                create_time=row["create_time"],
                update_time=row["update_time"],
            )
            for row in rows
        ]

    async def movements(self, page: MovementPage) -> list[Movement]:
        """Reads movements in the order of disc id and movement id."""
        after_disc_id, after_id = page.after
        if page.disc_id is None:
            rows = await self._database.fetch(MOVEMENTS, after_disc_id, after_id, page.limit + 1)
        else:
            rows = await self._database.fetch(MOVEMENTS_OF_DISC, page.disc_id, after_id, page.limit + 1)
        return [movement_from_row(row) for row in rows]

    async def balances(self, page: BalancePage) -> list[Balance]:
        """Reads balances in the order of disc ids, all from one snapshot."""
        async with self._database.transaction(readonly=True) as connection:
            await connection.execute(ALLOW_TIME)
            timeout_s = BALANCE_TIMEOUT_S
            if page.disc_ids:
                rows = await connection.fetch(
                    BALANCES_OF_DISCS, page.after, page.limit + 1, page.disc_ids, timeout=timeout_s
                )
            else:
                rows = await connection.fetch(BALANCES, page.after, page.limit + 1, timeout=timeout_s)
        return [
            Balance(
                disc_id=row["disc_id"], opening=row["opening"], moved=row["moved"], left=row["stock"], held=row["held"]
            )
            for row in rows
        ]
