"""Orders in their table. Every change of status is conditional on the old one, and answers the row as it is after it."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg

from order_service.errors import OrderNotFound
from order_service.journal import CLOSE
from order_service.metrics import OrderStats
from order_service.model import Order, Refused, Reserved
from order_service.rows import decided_order, decision_row, order_from_row
from service_runtime import tracing
from service_runtime.database import Connection, Database, DatabaseUnavailable

# For a customer, $2 is the customer: others' orders are not there.
FIND_FOR = """
UPDATE orders SET attempts = attempts + 1
WHERE id = $1 AND customer_id = coalesce($2, customer_id)
RETURNING *, NULL::uuid AS work_id
"""
GET_FOR = """
SELECT *, NULL::uuid AS work_id FROM orders WHERE id = $1 AND customer_id = coalesce($2, customer_id)
"""

FIND = "UPDATE orders SET attempts = attempts + 1 WHERE id = $1 RETURNING *, NULL::uuid AS work_id"

GET = "SELECT *, NULL::uuid AS work_id FROM orders WHERE id = ANY ($1::uuid[])"

EXISTING = "SELECT id FROM orders WHERE id = ANY ($1::uuid[])"

# For who acts on what is read. Were a cancel lost with the primary when the catalog has given back its copies already, they would be on the
# shelf and on a CONFIRMED order. The lock makes this read a write: its commit waits until a synchronous standby has all that was seen. It
# stands in nobody's way.
GET_DURABLE = """
SELECT *, NULL::uuid AS work_id FROM orders WHERE id = ANY ($1::uuid[])
ORDER BY id
FOR KEY SHARE
"""

# The journal's row goes if all of its orders were decided by this very statement; if not, it is looked at again, see _close_settled. Only
# orders that somebody else decided first are answered as ids.
DECIDE = """
WITH answer AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[]
    ) AS answer (id, status, reason, names, artists, prices_cents, total_cents, stock_left, refused_disc_ids)
), decided AS (
    UPDATE orders
    SET
        status = answer.status,
        reason = answer.reason,
        names = answer.names::text[],
        artists = answer.artists::text[],
        prices_cents = answer.prices_cents::bigint[],
        total_cents = answer.total_cents,
        stock_left = answer.stock_left::bigint[],
        refused_disc_ids = answer.refused_disc_ids::uuid[],
        update_time = now()
    FROM answer
    WHERE orders.id = answer.id AND orders.status = 'PENDING'
    RETURNING orders.id
), closed AS (
    DELETE FROM open_work
    WHERE id = ANY ($10::uuid[])
        AND NOT EXISTS (SELECT FROM unnest(order_ids) AS mine (id) WHERE mine.id NOT IN (SELECT decided.id FROM decided))
    RETURNING id
)
SELECT now() AS decide_time, (SELECT count(*) FROM closed) AS closed_count, missed.id
FROM (VALUES (1)) AS always
LEFT JOIN (SELECT id FROM answer WHERE id NOT IN (SELECT id FROM decided)) AS missed ON true
"""

# The cancel has a row of its own in the journal: the order's first one may be gone, or belong to others too. It waits for a return.
MARK_CANCELLING = """
WITH marked AS (
    UPDATE orders
    SET status = 'CANCELLING', cancel_request_id = $2, update_time = now()
    WHERE id = $1 AND status IN ('PENDING', 'CONFIRMED') AND open_return_id IS NULL
    RETURNING *
), opened AS (
    INSERT INTO open_work (id, order_ids, next_attempt_time, trace_parent)
    SELECT $3, ARRAY[id], now() + $4 * interval '1 second', $5::text FROM marked
    RETURNING id
)
SELECT marked.*, opened.id AS work_id FROM marked JOIN opened ON true
"""

FINISH_CANCEL = """
WITH decided AS (
    UPDATE orders SET status = 'CANCELLED', update_time = now()
    WHERE id = $1 AND status = 'CANCELLING'
    RETURNING *, NULL::uuid AS work_id
), closed AS (
    DELETE FROM open_work WHERE id = $2 AND order_ids <@ (SELECT array_agg(id) FROM decided)
)
SELECT * FROM decided
"""


def _tell_nobody(_: Iterable[UUID]) -> None:
    pass


class OrderRepository:
    """Reads and writes orders. Raises DatabaseUnavailable; a write may have been committed then.

    `changed` is told the ids of orders whose status was written, as a hint for those who watch them.
    """

    def __init__(
        self,
        *,
        database: Database,
        recovery_age_s: float,
        changed: Callable[[Iterable[UUID]], None] = _tell_nobody,
        stats: OrderStats | None = None,
    ) -> None:
        self._stats = stats
        self._database = database
        self._recovery_age_s = recovery_age_s
        self._changed = changed

    async def find(self, order_id: UUID) -> Order | None:
        """Looks for an order by a write, so that what is answered from it is as durable as its first answer was."""
        rows = await self._write(FIND, order_id)
        return order_from_row(rows[0]) if rows else None

    async def get(self, order_ids: Sequence[UUID]) -> list[Order]:
        """Reads orders as they are now; unknown ones are left out."""
        return [order_from_row(row) for row in await self._database.fetch(GET, order_ids)]

    async def existing(self, order_ids: Sequence[UUID]) -> set[UUID]:
        """Answers which of these orders exist."""
        return {row["id"] for row in await self._database.fetch(EXISTING, order_ids)}

    async def get_durable(self, order_ids: Sequence[UUID]) -> list[Order]:
        """Reads orders as `get` does, and waits until nothing can take back what was read."""
        return [order_from_row(row) for row in await self._write(GET_DURABLE, order_ids)]

    async def require(self, order_id: UUID, owner: UUID | None) -> Order:
        """Reads an order as it is now, an owner's alone if one is named; raises OrderNotFound."""
        for row in await self._database.fetch(GET_FOR, order_id, owner):
            return order_from_row(row)
        raise OrderNotFound({"order_id": str(order_id)})

    async def require_durable(self, order_id: UUID, owner: UUID | None) -> Order:
        """Looks for an order as `find` does, an owner's alone if one is named; raises OrderNotFound."""
        for row in await self._write(FIND_FOR, order_id, owner):
            return order_from_row(row)
        raise OrderNotFound({"order_id": str(order_id)})

    async def decide(self, answers: Sequence[tuple[Order, Reserved | Refused]]) -> list[Order]:
        """PENDING becomes CONFIRMED or REJECTED, with what was sold or left. Answers the orders as they are after that, in their order."""
        by_id = sorted(answers, key=lambda pair: pair[0].id)
        columns = zip(*[decision_row(order, answer) for order, answer in by_id], strict=True)
        work_ids = list({order.work_id for order, _ in answers if order.work_id is not None})
        rows = await self._write(DECIDE, *columns, work_ids)
        self._changed(order.id for order, _ in answers)
        if rows[0]["closed_count"] < len(work_ids):
            await self._close_settled(work_ids)
        missed = [row["id"] for row in rows if row["id"] is not None]
        others = {order.id: order for order in [await self.find(order_id) for order_id in missed] if order is not None}
        decide_time = rows[0]["decide_time"]
        decided = [others.get(order.id) or decided_order(order, answer, decide_time) for order, answer in answers]
        if self._stats is not None:
            self._stats.ended([order for order in decided if order.id not in missed] if missed else decided)
        return decided

    async def _close_settled(self, work_ids: Sequence[UUID]) -> None:
        """Takes rows out of the journal whose orders were decided in several statements, the last one just now.

        A statement of its own, so that of two that decide at once the later one sees both.
        """
        # The orders are decided, and rows that stay are recovery's.
        with suppress(DatabaseUnavailable):
            await self._write(CLOSE, work_ids)

    async def mark_cancelling(self, order_id: UUID, cancel_request_id: str | None) -> Order:
        """PENDING, or CONFIRMED with no return under way, becomes CANCELLING. Answers the order as it is after that."""
        opening = (uuid4(), self._recovery_age_s, tracing.trace_parent())
        rows = await self._write(MARK_CANCELLING, order_id, cancel_request_id, *opening)
        self._changed([order_id])
        return await self._after(order_id, rows)

    async def finish_cancel(self, order: Order) -> Order:
        """CANCELLING becomes CANCELLED. Answers the order as it is after that."""
        rows = await self._write(FINISH_CANCEL, order.id, order.work_id)
        self._changed([order.id])
        if self._stats is not None:
            self._stats.ended(map(order_from_row, rows))
        return await self._after(order.id, rows)

    async def _write(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async def write(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(sql, *arguments)

        return await self._database.run(write)

    async def _after(self, order_id: UUID, rows: Sequence[asyncpg.Record]) -> Order:
        """The row after a conditional change; where somebody else changed it first, the row that they left."""
        return order_from_row((rows or await self._write(FIND, order_id))[0])
