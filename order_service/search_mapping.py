"""Pages of orders: protos to keyset pages, and back."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from order_service.mapping import STATUSES, order_to_proto
from order_service.order_search import OrderPage, OrdersRead
from recordshop.order.v1 import order_pb2
from service_runtime import page_tokens
from service_runtime.uuids import NO_UUID
from service_runtime.validation import Fields, reading_fields

STATUSES_BY_PROTO = {proto: status for status, proto in STATUSES.items()}
FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class PageLimits:
    """Orders a page: the default and the largest."""

    default: int
    largest: int


def page_from_proto(request: order_pb2.ListOrdersRequest, limits: PageLimits, owner: UUID | None) -> OrderPage:
    """Reads which orders to list, for a customer of their own alone."""
    with reading_fields() as fields:
        customer_id = fields.optional_uuid("customer_id", request.customer_id)
        created_from = _moment(fields, request, "create_time_from", FIRST_MOMENT)
        created_to = _moment(fields, request, "create_time_to", LAST_MOMENT)
        if created_to < created_from:
            fields.bad("create_time_to", "must not be before create_time_from")
        status = STATUSES_BY_PROTO.get(request.status)
        if request.status and status is None:
            fields.bad("status", "is not a status of orders")
        limit = fields.page_size("page_size", request.page_size, default=limits.default, largest=limits.largest)
        filters = _filters(request)
        key = page_tokens.decode(fields, request.page_token, filters, (_created, UUID))
    before = (key[0], key[1]) if key else (created_to, NO_UUID)
    return OrderPage(
        customer_id=customer_id, status=status, created_from=created_from, before=before, limit=limit, owner=owner
    )


def orders_to_proto(request: order_pb2.ListOrdersRequest, read: OrdersRead) -> order_pb2.ListOrdersResponse:
    """Answers a page, with the token of the next one if there may be one."""
    response = order_pb2.ListOrdersResponse(orders=[order_to_proto(order) for order in read.orders])
    if read.last_key is not None:
        created, order_id = read.last_key
        response.next_page_token = page_tokens.encode(_filters(request), [created.isoformat(), order_id])
    return response


def _filters(request: order_pb2.ListOrdersRequest) -> object:
    begin = request.HasField("create_time_from"), request.create_time_from.seconds, request.create_time_from.nanos
    end = request.HasField("create_time_to"), request.create_time_to.seconds, request.create_time_to.nanos
    return ("orders", request.customer_id.lower(), begin, end, request.status)


def _created(text: str) -> datetime:
    """Reads a token's moment; in UTC, since one that has no place there could not be asked for."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _moment(fields: Fields, request: order_pb2.ListOrdersRequest, field: str, default: datetime) -> datetime:
    if not request.HasField(field):  # type: ignore[arg-type]  # The stub lists the names as literals.
        return default
    timestamp: Timestamp = getattr(request, field)
    # Orders are timed to the microsecond: what is at or after a moment between two of them is at or after the later one.
    rounded_up = timedelta(microseconds=1 if timestamp.nanos % 1_000 else 0)
    try:
        return timestamp.ToDatetime(tzinfo=UTC) + rounded_up
    except (ValueError, OverflowError):
        fields.bad(field, "must be a time from year 1 to year 9999")
        return default
