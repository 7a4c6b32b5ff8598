"""The table of discs."""

from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg

from catalog_service.disc_search import PLAN_SETTINGS, list_statement
from catalog_service.errors import DiscDeleted, DiscExists, DiscNotFound
from catalog_service.model import Disc, DiscDraft, DiscEdit, DiscPage, DiscQuery
from service_runtime.database import Database
from service_runtime.errors import EtagMismatch, NotAccepted, missing_ids

# Each further attempt means that somebody else edited the disc between an UPDATE and the look at why it changed nothing.
CHANGE_ATTEMPTS_MAX = 3

# A repeated create writes its disc as it is, so that its answer waits for a synchronous standby like the first one's did.
CREATE = """
INSERT INTO discs (id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, created_fingerprint)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
ON CONFLICT (id) DO UPDATE SET version = discs.version WHERE discs.created_fingerprint = excluded.created_fingerprint
RETURNING id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
"""

GET = """
SELECT id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
FROM discs
WHERE id = ANY ($1::uuid[])
"""

EDIT = """
UPDATE discs SET
    name = coalesce($3, name),
    artist = coalesce($4, artist),
    year_of_release = coalesce($5, year_of_release),
    genre = coalesce($6, genre),
    price_cents = coalesce($7, price_cents),
    version = version + 1,
    update_time = now()
WHERE id = $1
    AND delete_time IS NULL
    AND ($2 = '' OR version::text = $2)
    AND (name, artist, year_of_release, genre, price_cents) IS DISTINCT FROM (
        coalesce($3, name), coalesce($4, artist), coalesce($5, year_of_release), coalesce($6, genre), coalesce($7, price_cents)
    )
RETURNING id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
"""

DELETE = """
UPDATE discs SET delete_time = now(), version = version + 1, update_time = now()
WHERE id = $1 AND delete_time IS NULL AND ($2 = '' OR version::text = $2)
RETURNING id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
"""


class DiscRepository:
    """Keeps discs. Their stock is read here and moved elsewhere."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create(self, draft: DiscDraft) -> Disc:
        """Adds a disc, or answers the one that was created with equal content; raises DiscExists."""
        content = (draft.name, draft.artist, draft.year_of_release, draft.genre, draft.price_cents, draft.opening_stock)
        row = await self._database.fetchrow(CREATE, draft.id, *content, draft.fingerprint)
        if row is None:
            raise DiscExists({"disc_id": str(draft.id)})
        return _disc(row)

    async def get(self, disc_id: UUID) -> Disc:
        """Reads a disc; raises DiscNotFound."""
        [disc] = await self.get_all([disc_id])
        return disc

    async def get_all(self, disc_ids: Sequence[UUID]) -> list[Disc]:
        """Reads discs in the order of disc_ids; raises DiscNotFound, which names the missing ones."""
        rows = await self._database.fetch(GET, disc_ids)
        discs = {row["id"]: _disc(row) for row in rows}
        missing = [disc_id for disc_id in dict.fromkeys(disc_ids) if disc_id not in discs]
        if missing:
            raise DiscNotFound(missing_ids("disc_id", missing))
        return [discs[disc_id] for disc_id in disc_ids]

    async def search(self, query: DiscQuery) -> DiscPage:
        """Reads a page of discs in the order of their ids."""
        text, arguments = list_statement(query)
        async with self._database.transaction(readonly=True) as connection:
            await connection.execute(PLAN_SETTINGS)
            rows = await connection.fetch(text, *arguments)
        next_id = rows[query.size]["id"] if len(rows) > query.size else None
        return DiscPage(discs=[_disc(row) for row in rows[: query.size]], next_id=next_id)

    async def edit(self, edit: DiscEdit) -> Disc:
        """Changes a disc unless it holds the values already; raises DiscNotFound, DiscDeleted or EtagMismatch."""

        def settled(disc: Disc) -> bool:
            if not edit.holds_in(disc) and disc.delete_time is not None:
                raise DiscDeleted({"disc_id": str(disc.id)})
            return edit.holds_in(disc)

        values = (edit.name, edit.artist, edit.year_of_release, edit.genre, edit.price_cents)
        return await self._change(EDIT, edit.id, edit.etag, values, settled=settled)

    async def delete(self, disc_id: UUID, etag: str) -> Disc:
        """Takes a disc off sale unless it is; raises DiscNotFound or EtagMismatch."""
        return await self._change(DELETE, disc_id, etag, (), settled=lambda disc: disc.delete_time is not None)

    async def _change(
        self, statement: str, disc_id: UUID, etag: str, values: Sequence[object], *, settled: Callable[[Disc], bool]
    ) -> Disc:
        """Runs a conditional UPDATE. One that changes nothing is explained by the disc as it is now, or else is run again."""
        for _ in range(CHANGE_ATTEMPTS_MAX):
            row = await self._database.fetchrow(statement, disc_id, etag, *values)
            if row is not None:
                return _disc(row)
            disc = await self.get(disc_id)
            if settled(disc):
                return disc
            if etag not in ("", disc.etag):
                raise EtagMismatch({"disc_id": str(disc_id)})
        raise NotAccepted


def _disc(row: asyncpg.Record) -> Disc:
    return Disc(**dict(row))
