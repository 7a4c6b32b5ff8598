"""Orders as rows: what is written for them, and what is read back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from order_service.model import (
    Customer,
    Order,
    OrderDraft,
    OrderLine,
    OrderStatus,
    Refused,
    RejectionReason,
    Reserved,
    SoldLine,
)


def array_literal(values: Iterable[object]) -> str:
    """Writes a PostgreSQL array of values that need no quotes (PostgreSQL manual, 8.15.6)."""
    return "{" + ",".join(map(str, values)) + "}"


def text_array_literal(values: Iterable[str]) -> str:
    """Writes a PostgreSQL array of texts (PostgreSQL manual, 8.15.6)."""
    return array_literal('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)


def first_status(customer: Customer) -> OrderStatus:
    """The status that an order is taken in with."""
    return OrderStatus.PENDING if customer.active else OrderStatus.REJECTED


def first_reason(customer: Customer) -> RejectionReason | None:
    """The reason that an order is taken in with: an inactive customer's is rejected at once."""
    return None if customer.active else RejectionReason.CUSTOMER_INACTIVE


def new_order(draft: OrderDraft, customer: Customer, work_id: UUID, insert_time: datetime) -> Order:
    """The order that an insert has made."""
    return Order(
        id=draft.order_id,
        request_id=draft.request_id,
        customer_id=draft.customer_id,
        customer_name=customer.name,
        masked_document=customer.masked_document,
        fingerprint=draft.fingerprint,
        lines=list(map(OrderLine, *draft.lines)),
        total_cents=0,
        status=first_status(customer),
        reason=first_reason(customer),
        refused_disc_ids=(),
        create_time=insert_time,
        update_time=insert_time,
        work_id=work_id,
    )


def decided_order(order: Order, answer: Reserved | Refused, decide_time: datetime) -> Order:
    """The order that a decision has made of a pending one."""
    if isinstance(answer, Reserved):
        lines = [
            OrderLine(line.disc_id, line.quantity, sold.name, sold.artist, sold.price_cents)
            for line, sold in zip(order.lines, answer.lines, strict=True)
        ]
        total = total_cents(order, answer.lines)
        return order._replace(status=OrderStatus.CONFIRMED, lines=lines, total_cents=total, update_time=decide_time)
    rejected = order._replace(status=OrderStatus.REJECTED, reason=answer.reason, update_time=decide_time)
    if answer.reason is not RejectionReason.OUT_OF_STOCK:
        return rejected._replace(refused_disc_ids=tuple(answer.disc_ids))
    lines = [line._replace(stock_left=answer.stock_left[line.disc_id]) for line in order.lines]
    return rejected._replace(lines=lines)


def total_cents(order: Order, sold: Sequence[SoldLine] | None) -> int:
    """What all copies cost together; 0 if none were sold."""
    return sum(line.quantity * held.price_cents for line, held in zip(order.lines, sold or (), strict=False))


def left_literal(order: Order, refused: Refused) -> str | None:
    """How many copies of each disc were left, where that was the reason."""
    short = refused.reason is RejectionReason.OUT_OF_STOCK
    return array_literal(refused.stock_left[disc_id] for disc_id in order.disc_ids) if short else None


def off_sale_literal(refused: Refused) -> str | None:
    """The discs that are not on sale, where that was the reason."""
    return None if refused.reason is RejectionReason.OUT_OF_STOCK else array_literal(refused.disc_ids)


def order_from_row(row: Any) -> Order:
    """Reads an order back; the row has a column work_id as well."""
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
