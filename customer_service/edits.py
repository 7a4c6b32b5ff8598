"""Who was edited lately: what lets a caller keep customers without ever believing an old one."""

from customer_service.model import BatchAnswer, CustomerBatch, Edits, SyncToken
from customer_service.repository import COLUMNS, CustomerRepository
from service_runtime.database import Database

EDITS_MAX = 1_000

# An edit that an earlier snapshot did not see was made by a transaction that was open then, or began later: its number is not below the
# oldest that was open (PostgreSQL manual, 9.27.8). What that snapshot did see may come again, and hurts nobody.
# After a failover, or a restore, numbers may mean other transactions: the cluster's name and its timeline tell.
EDITED_SINCE = f"""
WITH moment AS (
    SELECT
        (SELECT system_identifier FROM pg_control_system()) || '-' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
            AS database,
        pg_snapshot_xmin(pg_current_snapshot())::text AS oldest_xid,
        pg_snapshot_xmax(pg_current_snapshot()) AS next_xid
)
SELECT
    moment.database, moment.oldest_xid, moment.database = $1 AND $2::text::xid8 <= moment.next_xid AS is_known,
    {COLUMNS}
FROM moment
LEFT JOIN LATERAL (
    SELECT * FROM customers WHERE edit_xid >= $2::text::xid8 AND moment.database = $1 ORDER BY edit_xid LIMIT $3
) AS edited ON true
"""  # noqa: S608 - put together from constants.
MOMENT_COLUMNS = 3


class CustomerEdits:
    """Reads customers for callers who keep them."""

    def __init__(self, *, database: Database, customers: CustomerRepository) -> None:
        self._database = database
        self._customers = customers

    async def read(self, batch: CustomerBatch) -> BatchAnswer:
        """Reads what is asked for; raises CustomerNotFound."""
        # The edits first: whoever is edited after that is among the edits of the next call. The other way round, an edit between the two
        # would be missed for ever.
        edits = None if batch.since is None else await self._since(batch.since)
        customers = await self._customers.get_all(batch.ids, skip_missing=batch.skip_missing) if batch.ids else []
        return BatchAnswer(customers, edits)

    async def _since(self, moment: SyncToken) -> Edits:
        rows = await self._database.fetch(EDITED_SINCE, moment.database, str(moment.oldest_xid), EDITS_MAX + 1)
        now = SyncToken(rows[0]["database"], int(rows[0]["oldest_xid"]))
        edited = [self._customers.customer(row[MOMENT_COLUMNS:]) for row in rows if row["id"] is not None]
        if not rows[0]["is_known"] or len(edited) > EDITS_MAX:
            return Edits([], now, is_lost=True)
        return Edits(edited, now, is_lost=False)
