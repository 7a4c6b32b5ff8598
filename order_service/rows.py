"""Orders as rows: what is written for them, and what is read back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from order_service.model import (
    Order,
    OrderLine,
    OrderStatus,
    Placement,
    Refused,
    RejectionReason,
    Reserved,
    SoldLine,
)
from service_runtime.quantities import LINES_KEPT_MAX, Lines


def array_literal(values: Iterable[object]) -> str:
    """Writes a PostgreSQL array of values that need no quotes (PostgreSQL manual, 8.15.6)."""
    return "{" + ",".join(map(str, values)) + "}"


def text_array_literal(values: Iterable[str]) -> str:
    """Writes a PostgreSQL array of texts (PostgreSQL manual, 8.15.6)."""
    return array_literal('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)


class NewRow(NamedTuple):
    """What is written for an order that is taken in, by its columns."""

    id: UUID
    customer_id: UUID
    request_id: str
    fingerprint: bytes
    customer_name: str
    masked_document: str
    disc_ids: Sequence[UUID]
    quantities: Sequence[int]
    status: OrderStatus
    reason: RejectionReason | None
    stock_left: Sequence[int] | None


def new_row(placement: Placement) -> NewRow:
    """The row of an order that is taken in."""
    draft, customer, stock_left = placement
    reason = _first_reason(placement)
    return NewRow(
        draft.order_id,
        draft.customer_id,
        draft.request_id,
        draft.fingerprint,
        customer.name,
        customer.masked_document,
        draft.lines.ids,
        draft.lines.quantities,
        OrderStatus.REJECTED if reason else OrderStatus.PENDING,
        reason,
        (stock_left,) if reason is RejectionReason.OUT_OF_STOCK and stock_left is not None else None,
    )


def literal_row(placement: Placement) -> tuple[object, ...]:
    """The same row with its arrays as literals: of an array of arrays all would have to be of one length."""
    row = new_row(placement)
    stock_left = None if row.stock_left is None else array_literal(row.stock_left)
    return (*row[:6], array_literal(row.disc_ids), array_literal(row.quantities), row.status, row.reason, stock_left)


def new_order(
    placement: Placement, insert_time: datetime, *, work_id: UUID | None = None, partition: int | None = None
) -> Order:
    """The order that an insert has made; work_id is its row's in the journal, partition where it waits in the queue."""
    draft, customer, stock_left = placement
    reason = _first_reason(placement)
    lines = new_lines(draft.lines)
    if reason is RejectionReason.OUT_OF_STOCK:
        lines = tuple([line._replace(stock_left=stock_left) for line in lines])
    return Order(
        id=draft.order_id,
        request_id=draft.request_id,
        customer_id=draft.customer_id,
        customer_name=customer.name,
        masked_document=customer.masked_document,
        fingerprint=draft.fingerprint,
        lines=lines,
        total_cents=0,
        status=OrderStatus.REJECTED if reason else OrderStatus.PENDING,
        reason=reason,
        refused_disc_ids=(),
        create_time=insert_time,
        update_time=insert_time,
        work_id=work_id,
        partition=partition,
    )


@lru_cache(maxsize=LINES_KEPT_MAX)
def new_lines(asked: Lines) -> tuple[OrderLine, ...]:
    """The lines of an order that is not decided."""
    return tuple(map(OrderLine, *asked))


def _first_reason(placement: Placement) -> RejectionReason | None:
    """Why an order is rejected as soon as it is taken in."""
    if not placement.customer.active:
        return RejectionReason.CUSTOMER_INACTIVE
    return None if placement.stock_left is None else RejectionReason.OUT_OF_STOCK


def decision_row(order: Order, answer: Reserved | Refused) -> tuple[object, ...]:
    """What is written for an order that is decided."""
    if isinstance(answer, Reserved):
        sale = _sale(order.lines, answer.lines)
        return (order.id, OrderStatus.CONFIRMED, None, *sale.columns, sale.total_cents, None, None)
    left = off_sale = None
    if answer.reason is RejectionReason.OUT_OF_STOCK:
        left = array_literal([answer.stock_left[disc_id] for disc_id in order.disc_ids])
    else:
        off_sale = array_literal(answer.disc_ids)
    return (order.id, OrderStatus.REJECTED, answer.reason, None, None, None, 0, left, off_sale)


def decided_order(order: Order, answer: Reserved | Refused, decide_time: datetime) -> Order:
    """The order that a decision has made of a pending one."""
    if isinstance(answer, Reserved):
        sale = _sale(order.lines, answer.lines)
        return order.confirmed(sale.lines, sale.total_cents, decide_time)
    rejected = order._replace(status=OrderStatus.REJECTED, reason=answer.reason, update_time=decide_time)
    if answer.reason is not RejectionReason.OUT_OF_STOCK:
        return rejected._replace(refused_disc_ids=tuple(answer.disc_ids))
    lines = tuple([line._replace(stock_left=answer.stock_left[line.disc_id]) for line in order.lines])
    return rejected._replace(lines=lines)


class _Sale(NamedTuple):
    """What an order's lines come to once they are sold; columns are names, artists and prices, as literals."""

    lines: tuple[OrderLine, ...]
    total_cents: int
    columns: tuple[str, str, str]


@lru_cache(maxsize=LINES_KEPT_MAX)
def _sale(lines: tuple[OrderLine, ...], sold: tuple[SoldLine, ...]) -> _Sale:
    pairs = list(zip(lines, sold, strict=True))
    return _Sale(
        lines=tuple([OrderLine(line.disc_id, line.quantity, *disc) for line, disc in pairs]),
        total_cents=sum(line.quantity * disc.price_cents for line, disc in pairs),
        columns=(
            text_array_literal(disc.name for disc in sold),
            text_array_literal(disc.artist for disc in sold),
            array_literal(disc.price_cents for disc in sold),
        ),
    )


def order_from_row(row: Any) -> Order:
    """Reads an order back; the row has a column work_id as well."""
    nothing = [None] * len(row["disc_ids"])
    columns = (row[column] or nothing for column in ("names", "artists", "prices_cents", "stock_left", "returned"))
    lines = tuple([OrderLine(*line) for line in zip(row["disc_ids"], row["quantities"], *columns, strict=True)])
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
        cancel_request_id=row["cancel_request_id"],
        open_return_id=row["open_return_id"],
        partition=row["partition"],
    )
