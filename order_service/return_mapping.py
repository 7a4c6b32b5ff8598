"""Cancels and returns: protos to the words of the order service, and back."""

from uuid import UUID

from order_service.model import LINES_MAX, QUANTITY_MAX, Order, OrderStatus
from order_service.return_model import CancelRequest, Disposition, returned_quantity
from recordshop.order.v1 import order_pb2
from service_runtime.quantities import Lines, read_lines
from service_runtime.validation import reading_fields

DISPOSITIONS = {
    order_pb2.RETURN_DISPOSITION_UNSPECIFIED: Disposition.RESTOCK,
    order_pb2.RETURN_DISPOSITION_RESTOCK: Disposition.RESTOCK,
    order_pb2.RETURN_DISPOSITION_WRITE_OFF: Disposition.WRITE_OFF,
}


def cancel_from_proto(request: order_pb2.CancelOrderRequest, owner: UUID | None) -> CancelRequest:
    """Reads what is to be cancelled, for a customer one of their own; lines of one disc are added up, and none mean all that is left."""
    lines = Lines((), ())
    with reading_fields() as fields:
        order_id = fields.uuid("order_id", request.order_id)
        request_id = fields.caller_id("request_id", request.request_id)
        if request.lines:
            asked = [(line.disc_id, line.quantity) for line in request.lines]
            lines = read_lines(fields, asked, id_name="disc_id", lines_max=LINES_MAX, quantity_max=QUANTITY_MAX)
        disposition = DISPOSITIONS.get(request.disposition)
        if disposition is None:
            fields.bad("disposition", "is not a disposition of returns")
    return CancelRequest(order_id, request_id, lines, disposition or Disposition.RESTOCK, owner)


def has_returns(order: Order) -> bool:
    """Whether copies of an order came back."""
    return order.status is OrderStatus.CANCELLED or order.lines[0].returned is not None


def add_returns(message: order_pb2.Order, order: Order) -> None:
    """Adds to an answer what came back of the order."""
    for told, line in zip(message.lines, order.lines, strict=True):
        told.returned_quantity = returned_quantity(order, line)
        message.refunded_cents += told.returned_quantity * told.price_cents
