"""Orders in their table. Every change of status is conditional on the old one, and answers the row as it is after it."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg

from order_service.errors import OrderNotFound
from order_service.model import (
    Customer,
    Order,
    OrderDraft,
    OrderLine,
    OrderStatus,
    Refused,
    RejectionReason,
    Reserved,
)
from service_runtime.database import Connection, Database

# An order that exists wins, and is written to: that makes a repeated call wait for a synchronous standby as the first one did, and sees a
# row that a concurrent equal call has just inserted, which DO NOTHING and a SELECT would both miss.
# The journal's row comes and goes with the order's status, in the same statement.
INSERT = """
WITH placed AS (
    INSERT INTO orders (
        id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (id) DO UPDATE SET attempts = orders.attempts + 1
    RETURNING *
), opened AS (
    INSERT INTO open_work (id, order_ids, next_attempt_time)
    SELECT $11, ARRAY[id], now() + $12 * interval '1 second' FROM placed WHERE attempts = 1 AND status = 'PENDING'
    RETURNING id
)
SELECT placed.*, opened.id AS work_id FROM placed LEFT JOIN opened ON true
"""

FIND = "UPDATE orders SET attempts = attempts + 1 WHERE id = $1 RETURNING *, NULL::uuid AS work_id"

GET = "SELECT *, NULL::uuid AS work_id FROM orders WHERE id = ANY ($1::uuid[])"

CONFIRM = """
WITH decided AS (
    UPDATE orders
    SET status = 'CONFIRMED', names = $3, artists = $4, prices_cents = $5, total_cents = $6, update_time = now()
    WHERE id = $1 AND status = 'PENDING'
    RETURNING *, NULL::uuid AS work_id
), closed AS (
    DELETE FROM open_work WHERE id = $2 AND order_ids <@ (SELECT array_agg(id) FROM decided)
)
SELECT * FROM decided
"""

REJECT = """
WITH decided AS (
    UPDATE orders
    SET status = 'REJECTED', reason = $3, stock_left = $4, refused_disc_ids = $5, update_time = now()
    WHERE id = $1 AND status = 'PENDING'
    RETURNING *, NULL::uuid AS work_id
), closed AS (
    DELETE FROM open_work WHERE id = $2 AND order_ids <@ (SELECT array_agg(id) FROM decided)
)
SELECT * FROM decided
"""

# The cancel has a row of its own in the journal: the order's first one may be gone, or belong to others too.
MARK_CANCELLING = """
WITH marked AS (
    UPDATE orders
    SET status = 'CANCELLING', cancel_request_id = $2, update_time = now()
    WHERE id = $1 AND status IN ('PENDING', 'CONFIRMED')
    RETURNING *
), opened AS (
    INSERT INTO open_work (id, order_ids, next_attempt_time)
    SELECT $3, ARRAY[id], now() + $4 * interval '1 second' FROM marked
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


class OrderRepository:
    """Reads and writes orders. Raises DatabaseUnavailable; a write may have been committed then."""

    def __init__(self, *, database: Database, recovery_age_s: float) -> None:
        self._database = database
        self._recovery_age_s = recovery_age_s

    async def insert(self, draft: OrderDraft, customer: Customer) -> Order:
        """Takes an order in: PENDING, or REJECTED at once if the customer is inactive. Answers the one that exists if there is one."""
        disc_ids = draft.disc_ids
        row = await self._write(
            INSERT,
            draft.order_id,
            draft.customer_id,
            draft.request_id,
            draft.fingerprint,
            customer.name,
            customer.masked_document,
            disc_ids,
            [draft.quantities[disc_id] for disc_id in disc_ids],
            OrderStatus.PENDING if customer.active else OrderStatus.REJECTED,
            None if customer.active else RejectionReason.CUSTOMER_INACTIVE,
            uuid4(),
            self._recovery_age_s,
        )
        return order_from_row(row[0])

    async def find(self, order_id: UUID) -> Order | None:
        """Looks for an order by a write, so that what is answered from it is as durable as its first answer was."""
        rows = await self._write(FIND, order_id)
        return order_from_row(rows[0]) if rows else None

    async def get(self, order_ids: Sequence[UUID]) -> list[Order]:
        """Reads orders as they are now; unknown ones are left out."""
        return [order_from_row(row) for row in await self._database.fetch(GET, order_ids)]

    async def require(self, order_id: UUID) -> Order:
        """Reads an order as it is now; raises OrderNotFound."""
        for order in await self.get([order_id]):
            return order
        raise OrderNotFound({"order_id": str(order_id)})

    async def confirm(self, order: Order, reserved: Reserved) -> Order:
        """PENDING becomes CONFIRMED, with what was sold. Answers the order as it is after that."""
        rows = await self._write(
            CONFIRM,
            order.id,
            order.work_id,
            [line.name for line in reserved.lines],
            [line.artist for line in reserved.lines],
            [line.price_cents for line in reserved.lines],
            reserved.total_cents,
        )
        return await self._after(order.id, rows)

    async def reject(self, order: Order, refused: Refused) -> Order:
        """PENDING becomes REJECTED, with the figures of the refusal. Answers the order as it is after that."""
        short = refused.reason is RejectionReason.OUT_OF_STOCK
        rows = await self._write(
            REJECT,
            order.id,
            order.work_id,
            refused.reason,
            [refused.stock_left[disc_id] for disc_id in order.disc_ids] if short else None,
            None if short else refused.disc_ids,
        )
        return await self._after(order.id, rows)

    async def mark_cancelling(self, order_id: UUID, cancel_request_id: str | None) -> Order:
        """PENDING or CONFIRMED becomes CANCELLING. Answers the order as it is after that."""
        rows = await self._write(MARK_CANCELLING, order_id, cancel_request_id, uuid4(), self._recovery_age_s)
        return await self._after(order_id, rows)

    async def finish_cancel(self, order: Order) -> Order:
        """CANCELLING becomes CANCELLED. Answers the order as it is after that."""
        return await self._after(order.id, await self._write(FINISH_CANCEL, order.id, order.work_id))

    async def _write(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async def write(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(sql, *arguments)

        return await self._database.run(write)

    async def _after(self, order_id: UUID, rows: Sequence[asyncpg.Record]) -> Order:
        """The row after a conditional change; where somebody else changed it first, the row that they left."""
        return order_from_row((rows or await self._write(FIND, order_id))[0])


def order_from_row(row: asyncpg.Record) -> Order:
    nothing = [None] * len(row["disc_ids"])
    columns = (row[column] or nothing for column in ("names", "artists", "prices_cents", "stock_left"))
    lines = [OrderLine(*line) for line in zip(row["disc_ids"], row["quantities"], *columns, strict=True)]
    return Order(
        id=row["id"],
        request_id=row["request_id"],
        customer_id=row["customer_id"],
        customer_name=row["customer_name"],
        masked_document=row["masked_document"],
        fingerprint=row["fingerprint"],
        lines=lines,
        total_cents=row["total_cents"],
        status=OrderStatus(row["status"]),
        reason=RejectionReason(row["reason"]) if row["reason"] else None,
        refused_disc_ids=row["refused_disc_ids"] or (),
        create_time=row["create_time"],
        update_time=row["update_time"],
        work_id=row["work_id"],
    )
