"""The changes of discs' stock: each move is counted and kept by the statement that makes it, and read by those who watch."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import asyncpg

from catalog_service.errors import DiscNotFound
from catalog_service.stock.errors import RevisionAhead, RevisionTooOld
from catalog_service.stock.model import Position, StockChange
from service_runtime.database import Database
from service_runtime.errors import ServiceError

# The part of every statement that moves stock: `moved` is its UPDATE of discs, which raises their revision by one. Whoever moves a disc's
# stock holds the disc's lock, so that its moves are written here one after the other.
KEEP_CHANGES = """
INSERT INTO stock_changes (disc_id, revision, stock)
SELECT id, revision, stock FROM moved
ORDER BY id
ON CONFLICT (disc_id, slot) DO UPDATE
SET revision = excluded.revision, stock = excluded.stock, change_time = excluded.change_time
"""

# Changes that are kept of each disc, as in db/catalog/0006_stock_changes.sql.
KEPT_MAX = 1_024
# Changes that one read answers of each disc; whoever is further behind reads on.
READ_MAX = 50

# The disc and its changes are seen at one moment, in which the table holds all of the last KEPT_MAX: none is missed, however many are under
# way. OFFSET keeps the planner from joining whole tables: the keys lead to each disc and each change.
CHANGES = """
SELECT
    seen.disc_id, seen.revision AS seen, disc.revision AS newest, disc.stock AS left_now,
    change.revision, change.stock, change.change_time
FROM unnest($1::uuid[], $2::bigint[]) AS seen (disc_id, revision)
LEFT JOIN LATERAL (SELECT * FROM discs WHERE id = seen.disc_id OFFSET 0) AS disc ON true
LEFT JOIN LATERAL generate_series(seen.revision + 1, least(disc.revision, seen.revision + $3)) AS next (revision)
    ON disc.revision <= seen.revision + $4
LEFT JOIN LATERAL (
    SELECT * FROM stock_changes
    WHERE disc_id = seen.disc_id AND slot = next.revision % $4 AND revision = next.revision
    OFFSET 0
) AS change ON true
WHERE disc.id IS NULL OR disc.revision IS DISTINCT FROM seen.revision
ORDER BY seen.disc_id, seen.revision, next.revision
"""

Found = Sequence[StockChange] | ServiceError


class StockChanges:
    """Reads what happened to discs' stock since somebody looked."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def since(self, positions: Sequence[Position]) -> Mapping[Position, Found]:
        """Answers each disc's next changes, READ_MAX at most, in the order of their revisions; to who saw nothing, how the disc is now.

        Positions of which there is no news are left out. Where nothing can be told, the answer is an error: DiscNotFound, RevisionTooOld
        or RevisionAhead.
        """
        disc_ids, revisions = zip(*positions, strict=True)
        rows = await self._database.fetch(CHANGES, disc_ids, revisions, READ_MAX, KEPT_MAX)
        by_position = groupby(rows, key=itemgetter("disc_id", "seen"))
        return {(position := Position(*key)): _found(position, list(group)) for key, group in by_position}


def _found(position: Position, rows: Sequence[asyncpg.Record]) -> Found:
    disc_id, seen = position
    newest = rows[0]["newest"]
    metadata = {"disc_id": str(disc_id)}
    if newest is None:
        return DiscNotFound(metadata)
    if seen is None:
        return [StockChange(disc_id, newest, rows[0]["left_now"], None)]
    if newest < seen:
        return RevisionAhead(metadata | {"revision": str(seen), "newest": str(newest)})
    if any(row["revision"] is None for row in rows):
        return RevisionTooOld(metadata | {"revision": str(seen), "oldest": str(max(0, newest - KEPT_MAX))})
    return [StockChange(disc_id, row["revision"], row["stock"], row["change_time"]) for row in rows]
