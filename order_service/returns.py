"""Returns in their table. While one is under way its order knows it, so that there is never a second one beside it."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from order_service.model import Order, OrderStatus
from order_service.return_model import Disposition, OrderReturn, ReturnState
from order_service.rows import order_from_row
from service_runtime import tracing
from service_runtime.database import Connection, Database
from service_runtime.quantities import Lines

# By a write, so that what is answered from it is as durable as its first answer was.
FIND = "UPDATE order_returns SET attempts = attempts + 1 WHERE id = $1 RETURNING *"

GET = "SELECT * FROM order_returns WHERE id = $1"

# Only if the order is as it was when the return was found to fit. The row in the journal has the return's own id.
BEGIN = """
WITH marked AS (
    UPDATE orders SET open_return_id = $1
    WHERE id = $2 AND status = 'CONFIRMED' AND open_return_id IS NULL AND returned IS NOT DISTINCT FROM $8::integer[]
    RETURNING id
), recorded AS (
    INSERT INTO order_returns (id, order_id, request_id, fingerprint, disc_ids, quantities, disposition)
    SELECT $1, id, $3, $4, $5, $6, $7 FROM marked
), opened AS (
    INSERT INTO open_work (id, order_ids, next_attempt_time, trace_parent)
    SELECT $1, ARRAY[id], now() + $9 * interval '1 second', $10::text FROM marked
)
SELECT id FROM marked
"""

# Where nothing is left, the order goes on to be cancelled, and the row in the journal stays for that. An order that somebody has cancelled
# all the same, by hand or from a backup, stays so.
END = """
WITH ended AS (
    UPDATE orders
    SET
        returned = $3,
        status = CASE status WHEN 'CONFIRMED' THEN $4 ELSE status END,
        cancel_request_id = CASE WHEN status = 'CONFIRMED' AND $4 = 'CANCELLING' THEN $5 ELSE cancel_request_id END,
        open_return_id = NULL,
        update_time = now()
    WHERE id = $2 AND open_return_id = $1
    RETURNING *
), told AS (
    UPDATE order_returns SET state = $6, update_time = now()
    WHERE id = $1 AND EXISTS (SELECT 1 FROM ended)
), closed AS (
    DELETE FROM open_work WHERE id = $1 AND EXISTS (SELECT 1 FROM ended WHERE status <> 'CANCELLING')
)
SELECT *, CASE status WHEN 'CANCELLING' THEN $1 END AS work_id FROM ended
"""


class ReturnRepository:
    """Reads and writes returns. Raises DatabaseUnavailable; a write may have been committed then."""

    def __init__(self, *, database: Database, recovery_age_s: float) -> None:
        self._database = database
        self._recovery_age_s = recovery_age_s

    async def find(self, return_id: UUID) -> OrderReturn | None:
        """Looks for a return by a write."""
        rows = await self._write(FIND, return_id)
        return _return_from_row(rows[0]) if rows else None

    async def get(self, return_id: UUID) -> OrderReturn:
        """Reads a return that exists, as it is now."""
        [row] = await self._database.fetch(GET, return_id)
        return _return_from_row(row)

    async def begin(self, returning: OrderReturn, order: Order) -> bool:
        """Records a return that fits the order as it was read; tells whether the order still was so, and the id new."""
        before = [line.returned for line in order.lines]
        try:
            marked = await self._write(
                BEGIN,
                *(returning.id, returning.order_id, returning.request_id, returning.fingerprint),
                *(*returning.lines, returning.disposition),
                None if None in before else before,
                self._recovery_age_s,
                tracing.trace_parent(),
            )
        except asyncpg.UniqueViolationError:
            return False
        return bool(marked)

    async def end(self, returning: OrderReturn, order: Order, *, applied: bool) -> Order | None:
        """Counts what came back, or nothing if it was refused; an order with nothing left becomes CANCELLING.

        Answers the order after that; None if somebody else has ended the return.
        """
        returned = returning.quantities_after(order) if applied else [line.returned for line in order.lines]
        is_all = returned == [line.quantity for line in order.lines]
        rows = await self._write(
            END,
            *(returning.id, returning.order_id),
            None if None in returned else returned,
            OrderStatus.CANCELLING if is_all else OrderStatus.CONFIRMED,
            returning.request_id,
            ReturnState.APPLIED if applied else ReturnState.REFUSED,
        )
        return order_from_row(rows[0]) if rows else None

    async def _write(self, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
        async def write(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(sql, *arguments)

        return await self._database.run(write)


def _return_from_row(row: asyncpg.Record) -> OrderReturn:
    return OrderReturn(
        id=row["id"],
        order_id=row["order_id"],
        request_id=row["request_id"],
        fingerprint=row["fingerprint"],
        lines=Lines(tuple(row["disc_ids"]), tuple(row["quantities"])),
        disposition=Disposition(row["disposition"]),
        state=ReturnState(row["state"]),
    )
