"""The customers who are anonymized while their orders may not know it yet: a row for each, until the order service has answered."""

from collections.abc import Sequence
from uuid import UUID

from service_runtime.database import Connection, Database

ANONYMIZE = (
    "SELECT anonymize_customer(id, $3 * interval '1 second') FROM customers WHERE id = $1 AND id = coalesce($2, id)"
)

IS_PENDING = "SELECT EXISTS (SELECT FROM pending_anonymizations WHERE customer_id = $1) AS is_pending"

# A lease is a time in the row, never a lock held across a call. It only saves work: the order service may be asked twice. Times further
# ahead than any lease come from a clock that was set back.
CLAIM = """
UPDATE pending_anonymizations
SET next_attempt_time = now() + least($2 * power(2, least(attempts, 20)), $3) * interval '1 second', attempts = attempts + 1
WHERE customer_id IN (
    SELECT customer_id FROM pending_anonymizations
    WHERE next_attempt_time <= now() OR next_attempt_time > now() + 2 * $3 * interval '1 second'
    ORDER BY next_attempt_time
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING customer_id
"""

CLOSE = "DELETE FROM pending_anonymizations WHERE customer_id = $1"


class PendingAnonymizations:
    """Begins anonymizations, and keeps those that are not at their end."""

    def __init__(self, *, database: Database, lease_s: float, backoff_max_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._backoff_max_s = backoff_max_s

    async def begin(self, customer_id: UUID, owner: UUID | None) -> bool:
        """Removes the person from the customer, the owner alone if one is named, and notes that the orders are to follow.

        Tells whether there is such a customer. Of one who was anonymized before nothing changes.
        """

        async def anonymize(connection: Connection) -> bool:
            return bool(await connection.fetch(ANONYMIZE, customer_id, owner, self._lease_s))

        return await self._database.run(anonymize)

    async def is_pending(self, customer_id: UUID) -> bool:
        """Whether the orders may not know it yet."""
        [row] = await self._database.fetch(IS_PENDING, customer_id)
        return bool(row["is_pending"])

    async def claim(self, limit: int) -> Sequence[UUID]:
        """Takes some whose time has come; each attempt doubles the time until the next."""
        rows = await self._database.fetch(CLAIM, limit, self._lease_s, self._backoff_max_s)
        return [row["customer_id"] for row in rows]

    async def close(self, customer_id: UUID) -> None:
        """The orders know it."""
        await self._database.fetch(CLOSE, customer_id)
