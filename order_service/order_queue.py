"""The queue of orders that are taken in now and decided later: in each partition, what was committed first is first in line."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from order_service.metrics import OrderStats
from order_service.model import Order, Placement
from order_service.rows import literal_row, new_order, order_from_row
from service_runtime import tracing
from service_runtime.database import Connection, Database

CHANNEL = "order_queue"

# As in intake: an order that exists wins, and is written to; only those are answered as rows. What is new goes into the queue in the same
# statement, a row for each partition, in the order of arrival. The partitions' rows are locked in the order of their numbers, last of all,
# and are free again when this commits: whoever takes a later position commits later.
# One NOTIFY for the whole group, since commits that carry one wait for each other. It is a hint, and may be lost.
ENQUEUE = """
WITH draft AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::smallint[], $13::integer[]
    ) AS draft (
        id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason,
        stock_left, partition, place  -- Nobody is denied ahead of the queue: stock_left is NULL.
    )
), placed AS (
    INSERT INTO orders (
        id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason,
        partition
    )
    SELECT
        id, customer_id, request_id, fingerprint,
        CASE WHEN gone.customer_id IS NULL THEN customer_name ELSE '' END,
        CASE WHEN gone.customer_id IS NULL THEN masked_document ELSE '' END,
        disc_ids::uuid[], quantities::integer[], status, reason, partition
    FROM draft
    LEFT JOIN anonymized_customers AS gone USING (customer_id)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET attempts = orders.attempts + 1
    RETURNING id, status, attempts, CASE WHEN attempts > 1 THEN orders END AS found
), queued AS (
    SELECT draft.partition, array_agg(id ORDER BY draft.place) AS order_ids
    FROM placed JOIN draft USING (id)
    WHERE placed.attempts = 1 AND placed.status = 'PENDING'
    GROUP BY draft.partition
), locked AS (
    SELECT partition FROM queue_partitions
    WHERE partition = ANY (ARRAY(SELECT partition FROM queued))
    ORDER BY partition
    FOR NO KEY UPDATE
), next AS (
    UPDATE queue_partitions SET last_position = last_position + 1
    FROM locked
    WHERE queue_partitions.partition = locked.partition
    RETURNING queue_partitions.partition, last_position
), opened AS (
    INSERT INTO order_queue (partition, position, order_ids, trace_parent)
    SELECT partition, last_position, order_ids, $15::text FROM next JOIN queued USING (partition)
    ORDER BY partition
), told AS (
    SELECT pg_notify($14, '') WHERE EXISTS (SELECT 1 FROM queued)
)
SELECT now() AS insert_time, (existing.found).*, NULL::uuid AS work_id
FROM (SELECT count(pg_notify::text) FROM told) AS always
LEFT JOIN placed AS existing ON existing.attempts > 1
"""

WAITING_PARTITIONS = """
SELECT partition FROM queue_partitions
WHERE EXISTS (SELECT 1 FROM order_queue WHERE order_queue.partition = queue_partitions.partition)
"""

COUNT = """
SELECT
    (SELECT coalesce(sum(cardinality(order_ids)), 0) FROM order_queue)::integer AS waiting,
    (SELECT coalesce(sum(cardinality(order_ids)), 0) FROM open_work)::integer AS open
"""

HEAD = "SELECT position, order_ids, trace_parent FROM order_queue WHERE partition = $1 ORDER BY position LIMIT $2"

CLOSE = """
DELETE FROM order_queue
WHERE partition = $1 AND position = ANY ($2::bigint[]) AND NOT EXISTS (
    SELECT 1 FROM orders WHERE orders.id = ANY (order_queue.order_ids) AND orders.status = 'PENDING'
)
"""


@dataclass(frozen=True)
class QueuedGroup:
    """What one group put into a partition: orders in the order of their arrival; trace_parent names its span if it was traced."""

    position: int
    order_ids: Sequence[UUID]
    trace_parent: str | None


class OrderQueue:
    """Puts orders into the queue, and takes those out that are decided. Raises DatabaseUnavailable.

    `waiting` is how many orders wait, as of the last count, with those that this process has added since; `open` is how many others are in
    the journal, as of the last count. A group that comes when there is room for some of it is taken in whole.
    """

    def __init__(self, *, database: Database, waiting_max: int, stats: OrderStats | None = None) -> None:
        self._stats = stats
        self._database = database
        self._waiting_max = waiting_max
        self.waiting = 0
        self.open = 0

    def is_full(self) -> bool:
        """Whether there is no room in the line."""
        return self.waiting >= self._waiting_max

    def is_journal_full(self) -> bool:
        """Whether as many orders are open beside it, which recovery has to settle."""
        return self.open >= self._waiting_max

    async def insert(self, placements: Sequence[Placement]) -> list[Order]:
        """Takes orders with ids that differ in, as PENDING and in line, or REJECTED if the customer is inactive.

        Answers them in their order; one that existed as it stands. The orders may have been taken in if it raises.
        """
        places = {placement.draft.order_id: place for place, placement in enumerate(placements)}
        by_id = sorted(placements, key=lambda placement: placement.draft.order_id)
        columns = zip(
            *[
                (*literal_row(placement), placement.draft.partition, places[placement.draft.order_id])
                for placement in by_id
            ],
            strict=True,
        )

        async def enqueue(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(ENQUEUE, *columns, CHANNEL, tracing.trace_parent())

        rows = await self._database.run(enqueue)
        existing = {row["id"]: order_from_row(row) for row in rows if row["id"] is not None}
        self.waiting += len(placements) - len(existing)
        insert_time = rows[0]["insert_time"]
        taken_in = [
            existing.get(placement.draft.order_id)
            or new_order(placement, insert_time, partition=placement.draft.partition)
            for placement in placements
        ]
        if self._stats is not None:
            self._stats.ended(order for order in taken_in if order.reason is not None and order.id not in existing)
        return taken_in

    async def count(self) -> None:
        """Counts who waits, and who is open otherwise."""
        [(self.waiting, self.open)] = await self._database.fetch(COUNT)

    async def partitions(self) -> list[int]:
        """Answers the partitions in which orders wait."""
        return [row["partition"] for row in await self._database.fetch(WAITING_PARTITIONS)]

    async def head(self, partition: int, groups_max: int) -> list[QueuedGroup]:
        """Reads who is first in line."""
        rows = await self._database.fetch(HEAD, partition, groups_max)
        return [QueuedGroup(*row) for row in rows]

    async def close(self, partition: int, groups: Sequence[QueuedGroup]) -> None:
        """Takes groups out of the line of which no order is PENDING any more."""
        await self._database.fetch(CLOSE, partition, [group.position for group in groups])
