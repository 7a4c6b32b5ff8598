"""The table of discs."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from catalog_service.disc_search import PLAN_SETTINGS, SELECT_DISCS, list_statement
from catalog_service.errors import DiscDeleted, DiscExists, DiscNotFound
from catalog_service.model import Disc, DiscDraft, DiscEdit, DiscPage, DiscQuery
from service_runtime.database import Database
from service_runtime.errors import EtagMismatch, missing_ids

# A repeated create writes its disc as it is, so that its answer waits for a synchronous standby like the first one's did.
CREATE = """
INSERT INTO discs (id, name, artist, year_of_release, genre, price_cents, opening_stock, stock, created_fingerprint)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
ON CONFLICT (id) DO UPDATE SET version = discs.version WHERE discs.created_fingerprint = excluded.created_fingerprint
RETURNING id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
"""

GET = f"{SELECT_DISCS} WHERE id = ANY ($1::uuid[])"

# One statement decides about an edit: it waits for whoever is editing the row, and then judges what that one left. An edit that finds
# its values there already is a repeated one: whatever its etag, it writes the row as it is, for the same reason as a repeated create.
EDIT_CHANGES = """(
    (name, artist, year_of_release, genre, price_cents) IS DISTINCT FROM (
        coalesce($3, name), coalesce($4, artist), coalesce($5, year_of_release), coalesce($6, genre), coalesce($7, price_cents)
    )
)"""
EDIT = f"""
UPDATE discs SET
    name = coalesce($3, name),
    artist = coalesce($4, artist),
    year_of_release = coalesce($5, year_of_release),
    genre = coalesce($6, genre),
    price_cents = coalesce($7, price_cents),
    version = version + {EDIT_CHANGES}::int,
    update_time = CASE WHEN {EDIT_CHANGES} THEN greatest(update_time, now()) ELSE update_time END
WHERE id = $1 AND ((delete_time IS NULL AND ($2 = '' OR version::text = $2)) OR NOT {EDIT_CHANGES})
RETURNING id, name, artist, year_of_release, genre, price_cents, stock, version, create_time, update_time, delete_time
"""  # noqa: S608 - put together from constants.

# As with edits: a repeated delete writes the row as it is.
DELETE = """
UPDATE discs SET
    delete_time = coalesce(delete_time, now()),
    version = version + (delete_time IS NULL)::int,
    update_time = CASE WHEN delete_time IS NULL THEN greatest(update_time, now()) ELSE update_time END
WHERE id = $1 AND ($2 = '' OR version::text = $2 OR delete_time IS NOT NULL)
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
        values = (edit.name, edit.artist, edit.year_of_release, edit.genre, edit.price_cents)
        row = await self._database.fetchrow(EDIT, edit.id, edit.etag, *values)
        if row is None:
            disc = await self.get(edit.id)
            metadata = {"disc_id": str(disc.id)}
            raise EtagMismatch(metadata) if disc.delete_time is None else DiscDeleted(metadata)
        return _disc(row)

    async def delete(self, disc_id: UUID, etag: str) -> Disc:
        """Takes a disc off sale unless it is; raises DiscNotFound or EtagMismatch."""
        row = await self._database.fetchrow(DELETE, disc_id, etag)
        if row is None:
            disc = await self.get(disc_id)
            raise EtagMismatch({"disc_id": str(disc.id)})
        return _disc(row)


def _disc(row: asyncpg.Record) -> Disc:
    return Disc(**dict(row))
