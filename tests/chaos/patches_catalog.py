"""Rules of the catalog, taken away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from catalog_service.stock import reservations, returns
from catalog_service.stock.denials import DenialLedger
from catalog_service.stock.model import (
    MovementRequest,
    ReleaseRequest,
    Reservation,
    ReservationLine,
    ReservationRequest,
    ReservationState,
    ReturnRequest,
    StockReturn,
)
from catalog_service.stock.movements import MovementLedger
from catalog_service.stock.reservations import ReservationLedger
from catalog_service.stock.returns import ReturnLedger
from service_runtime.database import Connection
from tests.chaos.patches import cut_out, put

_release = ReservationLedger.release
_decide_movement = MovementLedger._decide
_take_back = ReturnLedger.take_back


class _Forgotten(Exception):
    """Undoes a transaction."""


def conflicts_are_ignored() -> None:
    """The ledger's row is left out where there is one, and the stock is taken all the same."""
    cut_out(
        reservations,
        "RESERVE",
        "ORDER BY line.disc_id\nRETURNING *",
        "ORDER BY line.disc_id\nON CONFLICT DO NOTHING\nRETURNING *",
    )
    # Those of one line are decided by a function in the database; here they go the other way, one by one.
    put(ReservationLedger, "reserve_singles", ReservationLedger.reserve_lines)


def refusals_are_forgotten() -> None:
    """A refusal is answered and not written down."""

    async def decide(self: ReservationLedger, request: ReservationRequest) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = []

        async def reserve(connection: Connection) -> None:
            async with connection.transaction():
                rows[:] = await connection.fetch(reservations.RESERVE, request.id, *request.lines, request.fingerprint)
                if any(row["state"] == ReservationState.DENIED for row in rows):
                    raise _Forgotten

        try:
            await self._database.run(reserve)
        except asyncpg.UniqueViolationError:
            return []
        except _Forgotten:
            pass
        return rows

    async def deny(self: DenialLedger, requests: Sequence[ReservationRequest]) -> list[int | None]:
        return [None] * len(requests)

    put(ReservationLedger, "_decide_lines", decide)
    put(ReservationLedger, "reserve_singles", ReservationLedger.reserve_lines)
    put(DenialLedger, "deny_sold_out", deny)


def no_mark_is_left() -> None:
    """The release of an id that was never seen leaves nothing behind."""

    async def release(self: ReservationLedger, request: ReleaseRequest) -> Reservation:
        if await self._database.fetch(reservations.DECIDED, request.id, request.disc_ids):
            return await _release(self, request)
        lines = [ReservationLine(disc_id, 0, None, None, None, None, None) for disc_id in request.disc_ids]
        now = datetime.now(UTC)
        return Reservation(request.id, ReservationState.RELEASED, lines, now, now)

    put(ReservationLedger, "release", release)


def copies_come_back_twice() -> None:
    """A release that is told again gives the copies back again."""
    cut_out(reservations, "GIVE_BACK", "state = 'RESERVED'", "state IN ('RESERVED', 'RELEASED')")


def movements_are_repeated() -> None:
    """A movement that is told again moves again."""

    async def decide(self: MovementLedger, request: MovementRequest) -> asyncpg.Record | None:
        return await _decide_movement(self, replace(request, id=str(uuid4())))

    put(MovementLedger, "_decide", decide)


def stock_is_not_looked_at() -> None:
    """Copies are taken whether there are enough or not, as far as the table lets them."""
    cut_out(reservations, "RESERVE", "WHEN locked.stock < asked.quantity THEN 'OUT_OF_STOCK'", "")
    cut_out(
        reservations,
        "RESERVE",
        "SET stock = line.stock - line.quantity",
        "SET stock = greatest(0, line.stock - line.quantity)",
    )
    put(ReservationLedger, "reserve_singles", ReservationLedger.reserve_lines)


def copies_come_back_unseen() -> None:
    """A release gives its copies back, and those who watch are not to know."""
    cut_out(reservations, "GIVE_BACK", ", revision = discs.revision + 1", "")


def returns_are_made_twice() -> None:
    """A return that is told again takes copies back again, as far as the line has them."""

    async def take_back(self: ReturnLedger, request: ReturnRequest) -> StockReturn:
        return await _take_back(self, replace(request, id=uuid4()))

    put(ReturnLedger, "take_back", take_back)


def written_off_copies_are_shelved() -> None:
    """Copies that are written off go back onto the shelf."""
    cut_out(returns, "RETURN", "CASE $6 WHEN 'RESTOCK' THEN line.quantity ELSE 0 END", "line.quantity")


MUTANTS: Mapping[str, Callable[[], None]] = {
    "conflicts_are_ignored": conflicts_are_ignored,
    "refusals_are_forgotten": refusals_are_forgotten,
    "no_mark_is_left": no_mark_is_left,
    "copies_come_back_twice": copies_come_back_twice,
    "copies_come_back_unseen": copies_come_back_unseen,
    "movements_are_repeated": movements_are_repeated,
    "stock_is_not_looked_at": stock_is_not_looked_at,
    "returns_are_made_twice": returns_are_made_twice,
    "written_off_copies_are_shelved": written_off_copies_are_shelved,
}
