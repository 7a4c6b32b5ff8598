"""Protos to the words of the order service, and back."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from order_service.audit import DiscAudit, Verdict
from order_service.errors import CustomerInactive, DiscDeleted, DiscNotFound, OutOfStock
from order_service.model import (
    LINES_MAX,
    QUANTITY_MAX,
    Order,
    OrderDraft,
    OrderLine,
    OrderMode,
    OrderStatus,
    RejectionReason,
)
from order_service.return_mapping import add_returns, has_returns
from recordshop.order.v1 import order_pb2
from service_runtime.access_errors import NotPermitted
from service_runtime.errors import ServiceError
from service_runtime.quantities import LINES_KEPT_MAX, read_lines
from service_runtime.timestamps import timestamp
from service_runtime.validation import Fields, reading_fields

AUDIT_DISCS_MAX = 100
STATUSES = {status: order_pb2.OrderStatus.Value(f"ORDER_STATUS_{status}") for status in OrderStatus}
MODES: dict[int, OrderMode | None] = {
    order_pb2.ORDER_MODE_UNSPECIFIED: None,
    **{order_pb2.OrderMode.Value(f"ORDER_MODE_{mode.name}"): mode for mode in OrderMode},
}
SERVICE = order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
FOLLOW_UP = order_pb2.OrderFollowUp(
    watch_method=f"{SERVICE}/WatchOrder", get_method=f"{SERVICE}/GetOrder", poll_delay=Duration(nanos=500_000_000)
)
VERDICTS = {verdict: order_pb2.AuditVerdict.Value(f"AUDIT_VERDICT_{verdict}") for verdict in Verdict}
REJECTIONS: dict[RejectionReason, type[ServiceError]] = {
    RejectionReason.OUT_OF_STOCK: OutOfStock,
    RejectionReason.DISC_NOT_FOUND: DiscNotFound,
    RejectionReason.DISC_DELETED: DiscDeleted,
    RejectionReason.CUSTOMER_INACTIVE: CustomerInactive,
}


def customer_id_from_proto(request: order_pb2.AnonymizeCustomerRequest) -> UUID:
    """Reads who is to be anonymized."""
    with reading_fields() as fields:
        return fields.uuid("customer_id", request.customer_id)


def draft_from_proto(request: order_pb2.CreateOrderRequest, owner: UUID | None) -> OrderDraft:
    """Reads an order, for a customer one of their own; lines of one disc are added up."""
    fields = Fields()
    customer_id = fields.uuid("customer_id", request.customer_id)
    asked = [(line.disc_id, line.quantity) for line in request.lines]
    lines = read_lines(fields, asked, id_name="disc_id", lines_max=LINES_MAX, quantity_max=QUANTITY_MAX)
    request_id = fields.caller_id("request_id", request.request_id)
    if request.mode not in MODES:
        fields.bad("mode", "is not a mode of orders")
    fields.raise_if_bad()
    if owner is not None and customer_id != owner:
        raise NotPermitted
    return OrderDraft.of(customer_id, request_id, lines, MODES[request.mode])


def order_id_from_proto(request: order_pb2.GetOrderRequest | order_pb2.WatchOrderRequest) -> UUID:
    """Reads an order's id."""
    with reading_fields() as fields:
        return fields.uuid("id", request.id)


def audit_from_proto(request: order_pb2.AuditStockRequest) -> list[UUID]:
    """Reads which discs to audit."""
    with reading_fields() as fields:
        return fields.uuids("disc_ids", request.disc_ids, count_min=0, count_max=AUDIT_DISCS_MAX)


def placed_to_proto(order: Order) -> order_pb2.Order:
    """Answers an order that was taken; a rejected one becomes the error that says why."""
    if order.reason is not None:
        raise rejection(order, order.reason)
    return order_to_proto(order)


def rejection(order: Order, reason: RejectionReason) -> ServiceError:
    """The error that a rejected order is answered with, with the figures that were recorded."""
    metadata = {"order_id": str(order.id)}
    if reason is RejectionReason.OUT_OF_STOCK:
        metadata |= {
            "disc_id": _joined(order.disc_ids),
            "asked": _joined(line.quantity for line in order.lines),
            "left": _joined(line.stock_left for line in order.lines),
        }
    elif reason is not RejectionReason.CUSTOMER_INACTIVE:
        metadata["disc_id"] = _joined(order.refused_disc_ids)
    return REJECTIONS[reason](metadata)


def _joined(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def order_to_proto(order: Order) -> order_pb2.Order:
    """Answers an order, whatever became of it."""
    message = order_pb2.Order()
    # Set where they stand, fields take two thirds of the time of messages that are made and then copied into this one.
    message.id = str(order.id)
    message.request_id = order.request_id
    message.customer_id = str(order.customer_id)
    message.customer.name = order.customer_name
    message.customer.masked_document = order.masked_document
    message.lines.extend(_lines_to_proto(order.lines))
    message.total_cents = order.total_cents
    message.status = STATUSES[order.status]
    message.reason = order.reason or ""
    message.create_time.CopyFrom(timestamp(order.create_time))
    message.update_time.CopyFrom(timestamp(order.update_time))
    if order.status.is_open:
        message.follow_up.CopyFrom(FOLLOW_UP)
    if has_returns(order):
        add_returns(message, order)
    return message


@lru_cache(maxsize=LINES_KEPT_MAX)
def _lines_to_proto(lines: tuple[OrderLine, ...]) -> Sequence[order_pb2.OrderLine]:
    """The lines as they are answered; a message that takes them makes its own copies."""
    return tuple([_line_to_proto(line) for line in lines])


def _line_to_proto(line: OrderLine) -> order_pb2.OrderLine:
    return order_pb2.OrderLine(
        disc_id=str(line.disc_id),
        quantity=line.quantity,
        name=line.name or "",
        artist=line.artist or "",
        price_cents=line.price_cents or 0,
        stock_left=line.stock_left,
    )


def audit_to_proto(audit: DiscAudit) -> order_pb2.DiscAudit:
    """Answers a disc's audit."""
    return order_pb2.DiscAudit(
        disc_id=str(audit.balance.disc_id),
        opening=audit.balance.opening,
        moved=audit.balance.moved,
        left=audit.balance.left,
        held=audit.balance.held,
        sold=audit.sold,
        open=audit.open,
        wrong_order_ids=map(str, audit.wrong_order_ids),
        verdict=VERDICTS[audit.verdict],
    )
