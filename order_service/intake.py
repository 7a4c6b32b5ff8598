"""How orders get into their table: each once, and with each group its row in the journal."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from order_service.metrics import OrderStats
from order_service.model import Order, OrderStatus, Placement
from order_service.rows import NewRow, literal_row, new_order, new_row, order_from_row
from service_runtime import tracing
from service_runtime.database import Connection, Database

# From here on a COPY, which takes a transaction of four round trips, costs less than the statement that can do everything.
COPY_SIZE_MIN = 200

# An order that exists wins, and is written to: that makes a repeated call wait for a synchronous standby as the first one did, and sees a
# row that a concurrent equal call has just inserted, which DO NOTHING and a SELECT would both miss.
# The journal's row comes with the orders, in the same statement: one for the whole group. Lines come as array literals, since arrays of
# arrays must be of one length. Only orders that existed are answered as rows; of the others the caller knows all but the time.
# Whoever was anonymized since the customers were asked for is taken in without a name. Looking there also holds up the anonymization until
# this has committed: it finds the orders then.
INSERT = """
WITH placed AS (
    INSERT INTO orders (
        id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason,
        stock_left
    )
    SELECT
        id, customer_id, request_id, fingerprint,
        CASE WHEN gone.customer_id IS NULL THEN customer_name ELSE '' END,
        CASE WHEN gone.customer_id IS NULL THEN masked_document ELSE '' END,
        disc_ids::uuid[], quantities::integer[], status, reason, stock_left::bigint[]
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[]
    ) AS draft (
        id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason,
        stock_left
    )
    LEFT JOIN anonymized_customers AS gone USING (customer_id)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET attempts = orders.attempts + 1
    RETURNING id, status, attempts, CASE WHEN attempts > 1 THEN orders END AS found
), opened AS (
    INSERT INTO open_work (id, order_ids, next_attempt_time, trace_parent)
    SELECT $12, array_agg(id), now() + $13 * interval '1 second', $14::text
    FROM placed
    WHERE attempts = 1 AND status = 'PENDING'
    HAVING count(*) > 0
)
SELECT now() AS insert_time, (existing.found).*, NULL::uuid AS work_id
FROM (VALUES (1)) AS always LEFT JOIN placed AS existing ON existing.attempts > 1
"""

# Of the orders that were copied: whether one is of a customer who was anonymized meanwhile, as above. Then none is taken in this way.
COPIED = """
SELECT now() AS insert_time, EXISTS (SELECT FROM anonymized_customers WHERE customer_id = ANY ($1::uuid[])) AS holds_gone
"""

# The journal's row of orders that were copied.
OPEN = """
INSERT INTO open_work (id, order_ids, next_attempt_time, trace_parent)
SELECT $1, $2::uuid[], now() + $3 * interval '1 second', $4::text
WHERE cardinality($2::uuid[]) > 0
"""


class _CustomerGone(Exception):
    """One of the customers was anonymized meanwhile."""


class OrderIntake:
    """Takes orders in. Raises DatabaseUnavailable; the orders may have been taken in then."""

    def __init__(self, *, database: Database, recovery_age_s: float, stats: OrderStats | None = None) -> None:
        self._database = database
        self._stats = stats
        self._recovery_age_s = recovery_age_s

    async def insert(self, placements: Sequence[Placement]) -> list[Order]:
        """Takes orders with ids that differ in: PENDING, or REJECTED at once if the customer is inactive or the catalog has denied them.

        Answers them in their order; one that existed as it stands.
        """
        work_id = uuid4()
        # Everybody writes in the order of ids, or two groups could wait for each other.
        by_id = sorted(placements, key=lambda placement: placement.draft.order_id)
        existing: dict[UUID, Order] = {}
        insert_time = await self._copy(by_id, work_id) if len(by_id) >= COPY_SIZE_MIN else None
        if insert_time is None:
            rows = await self._insert(by_id, work_id)
            existing = {row["id"]: order_from_row(row) for row in rows if row["id"] is not None}
            insert_time = rows[0]["insert_time"]
        taken_in = [
            existing.get(placement.draft.order_id) or new_order(placement, insert_time, work_id=work_id)
            for placement in placements
        ]
        if self._stats is not None:
            self._stats.ended(order for order in taken_in if order.reason is not None and order.id not in existing)
        return taken_in

    async def _copy(self, placements: Sequence[Placement], work_id: UUID) -> datetime | None:
        """Takes in orders of which none exists; answers None, with nothing done, if one does, or is of a customer who is gone."""
        records = [new_row(placement) for placement in placements]
        pending = [row.id for row in records if row.status is OrderStatus.PENDING]

        customer_ids = list({row.customer_id for row in records})

        async def copy(connection: Connection) -> datetime:
            async with connection.transaction():
                await connection.copy_records_to_table("orders", columns=NewRow._fields, records=records)
                await connection.execute(OPEN, work_id, pending, self._recovery_age_s, tracing.trace_parent())
                [copied] = await connection.fetch(COPIED, customer_ids)
                if copied["holds_gone"]:
                    raise _CustomerGone
            insert_time: datetime = copied["insert_time"]
            return insert_time

        try:
            return await self._database.run(copy)
        except (asyncpg.UniqueViolationError, _CustomerGone):
            return None

    async def _insert(self, placements: Sequence[Placement], work_id: UUID) -> list[asyncpg.Record]:
        columns = zip(*[literal_row(placement) for placement in placements], strict=True)

        async def insert(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(INSERT, *columns, work_id, self._recovery_age_s, tracing.trace_parent())

        return await self._database.run(insert)
