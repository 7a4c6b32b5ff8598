"""The journal of open work: where recovery finds the orders that somebody began and did not end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service_runtime.database import Database

# A lease is a time in the row, never a lock held across a call. It only saves work: a paused process outlives any lease, and what it
# does then is as right as what the next one does. Times further ahead than any lease come from a clock that was set back.
CLAIM = """
UPDATE open_work
SET next_attempt_time = now() + least($2 * power(2, least(attempts, 20)), $3) * interval '1 second', attempts = attempts + 1
WHERE id IN (
    SELECT id FROM open_work
    WHERE next_attempt_time <= now() OR next_attempt_time > now() + $4 * interval '1 second'
    ORDER BY next_attempt_time
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, order_ids, create_time, attempts, trace_parent
"""

CLOSE = """
DELETE FROM open_work
WHERE id = ANY ($1::uuid[]) AND NOT EXISTS (
    SELECT 1 FROM orders
    WHERE orders.id = ANY (open_work.order_ids) AND (orders.status IN ('PENDING', 'CANCELLING') OR orders.open_return_id IS NOT NULL)
)
"""

# Orders that wait in the queue are open as well. The clock is the database's own, whose times the rows have.
BACKLOG = """
SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(create_time)), 0)::float8 AS age_s
FROM (SELECT create_time FROM open_work UNION ALL SELECT create_time FROM order_queue) AS open
"""


@dataclass(frozen=True)
class OpenWork:
    """A row of the journal, claimed; attempts counts this one, trace_parent names the span that opened it if that was traced."""

    id: UUID
    order_ids: Sequence[UUID]
    create_time: datetime
    attempts: int
    trace_parent: str | None = None


class Journal:
    """Claims open work and closes it."""

    def __init__(self, *, database: Database, age_s: float, lease_s: float, backoff_max_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._backoff_max_s = backoff_max_s
        self._ahead_max_s = 2 * max(age_s, lease_s, backoff_max_s)

    async def claim(self, limit: int) -> list[OpenWork]:
        """Takes work whose time has come, the longest overdue first; each attempt doubles the time until the next."""
        rows = await self._database.fetch(CLAIM, limit, self._lease_s, self._backoff_max_s, self._ahead_max_s)
        return [OpenWork(*row) for row in rows]

    async def backlog(self) -> tuple[int, float]:
        """Answers how many rows there are, with those of the queue, and the age of the oldest in seconds; 0 if there is none."""
        [row] = await self._database.fetch(BACKLOG)
        return row["rows"], max(0.0, row["age_s"])

    async def close(self, work: OpenWork) -> None:
        """Takes a row out of the journal, if none of its orders is open."""
        await self._database.fetch(CLOSE, [work.id])
