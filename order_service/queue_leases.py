"""Who decides the orders of which partition: leases, written to rows, that end by themselves."""

from uuid import UUID, uuid4

from order_service.model import PARTITIONS
from service_runtime.database import Database

# A lease that ends later than any lease could comes from a clock that was set back, and counts as over.
IS_OVER = "(lease_end_time <= now() OR lease_end_time > now() + 2 * $2 * interval '1 second')"

BEAT = f"""
WITH gone AS (
    DELETE FROM queue_workers WHERE worker_id <> $1 AND {IS_OVER}
), beating AS (
    INSERT INTO queue_workers (worker_id, lease_end_time) VALUES ($1, now() + $2 * interval '1 second')
    ON CONFLICT (worker_id) DO UPDATE SET lease_end_time = excluded.lease_end_time
)
SELECT 1 + count(*) FROM queue_workers WHERE worker_id <> $1 AND NOT {IS_OVER}
"""  # noqa: S608 - put together from constants.

RENEW = """
UPDATE queue_leases SET lease_end_time = now() + $2 * interval '1 second' WHERE worker_id = $1 RETURNING partition
"""

CLAIM = f"""
UPDATE queue_leases SET worker_id = $1, lease_end_time = now() + $2 * interval '1 second'
WHERE partition IN (
    SELECT partition FROM queue_leases
    WHERE worker_id IS NULL OR {IS_OVER}
    ORDER BY partition
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING partition
"""  # noqa: S608 - put together from constants.

GIVE_UP = """
UPDATE queue_leases SET worker_id = NULL, lease_end_time = '-infinity'
WHERE worker_id = $1 AND partition = ANY ($2::smallint[])
"""

LEAVE = "DELETE FROM queue_workers WHERE worker_id = $1"


class QueueLeases:
    """This process' share of the partitions. Raises DatabaseUnavailable."""

    def __init__(self, *, database: Database, lease_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._worker_id: UUID = uuid4()
        self.held: set[int] = set()

    async def renew(self) -> None:
        """Renews what is held, and takes or gives up partitions so that each living worker has about as many as the others."""
        [(workers,)] = await self._database.fetch(BEAT, self._worker_id, self._lease_s)
        share = -(-PARTITIONS // workers)
        rows = await self._database.fetch(RENEW, self._worker_id, self._lease_s)
        held = {row["partition"] for row in rows}
        surplus = sorted(held)[share:]
        if surplus:
            held -= set(surplus)
            # From here on nothing new is begun in them; what is under way is decided once, whoever asks.
            self.held = held
            await self._database.fetch(GIVE_UP, self._worker_id, surplus)
        elif len(held) < share:
            rows = await self._database.fetch(CLAIM, self._worker_id, self._lease_s, share - len(held))
            held |= {row["partition"] for row in rows}
        self.held = held

    async def give_up(self) -> None:
        """Leaves all to the others at once, instead of when the leases end."""
        held, self.held = self.held, set()
        await self._database.fetch(GIVE_UP, self._worker_id, sorted(held))
        await self._database.fetch(LEAVE, self._worker_id)
