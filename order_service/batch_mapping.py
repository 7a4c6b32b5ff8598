"""Batches and streams of orders: protos to drafts, and outcomes back."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from order_service.mapping import STATUSES, draft_from_proto, rejection
from order_service.model import BATCH_SIZE_MAX, MESSAGE_SIZE_MAX, Order, OrderDraft
from order_service.processing import Outcome
from recordshop.order.v1 import order_pb2
from service_runtime.access_errors import NotPermitted
from service_runtime.errors import InvalidArgument, ServiceError
from service_runtime.validation import reading_fields

Entry = OrderDraft | ServiceError


def drafts_from_proto(
    requests: Sequence[order_pb2.CreateOrderRequest], owner: UUID | None, *, size_max: int = BATCH_SIZE_MAX
) -> list[Entry]:
    """Reads a batch; an entry with bad fields, or another customer than the owner, becomes its own error, and its neighbours stay."""
    with reading_fields() as fields:
        if not 1 <= len(requests) <= size_max:
            fields.bad("requests", f"must have 1 to {size_max:,} entries")
    return [_draft_or_error(entry, owner) for entry in requests]


def _draft_or_error(request: order_pb2.CreateOrderRequest, owner: UUID | None) -> Entry:
    try:
        return draft_from_proto(request, owner)
    except (InvalidArgument, NotPermitted) as error:
        return error


async def messages_from_proto(
    messages: AsyncIterator[order_pb2.PlaceOrdersRequest], owner: UUID | None
) -> AsyncIterator[tuple[order_pb2.PlaceOrdersRequest, list[Entry]]]:
    """Reads the messages of a stream, each as it comes."""
    async for message in messages:
        yield message, drafts_from_proto(message.requests, owner, size_max=MESSAGE_SIZE_MAX)


def outcomes_to_proto(outcomes: Sequence[Outcome]) -> order_pb2.BatchCreateOrdersResponse:
    """Answers a batch, one result for each entry."""
    return order_pb2.BatchCreateOrdersResponse(results=[_result_to_proto(outcome) for outcome in outcomes])


def message_to_proto(
    message: order_pb2.PlaceOrdersRequest, outcomes: Sequence[Outcome]
) -> order_pb2.PlaceOrdersResponse:
    """Answers one message of a stream, one result for each entry."""
    return order_pb2.PlaceOrdersResponse(
        results=[
            order_pb2.PlacedOrder(
                customer_id=request.customer_id, request_id=request.request_id, result=_result_to_proto(outcome)
            )
            for request, outcome in zip(message.requests, outcomes, strict=True)
        ]
    )


def _result_to_proto(outcome: Outcome) -> order_pb2.CreateOrderResult:
    if isinstance(outcome, Order) and outcome.reason is not None:
        outcome = rejection(outcome, outcome.reason)
    if isinstance(outcome, Order):
        summary = order_pb2.OrderSummary(
            order_id=str(outcome.id),
            request_id=outcome.request_id,
            status=STATUSES[outcome.status],
            total_cents=outcome.total_cents,
        )
        return order_pb2.CreateOrderResult(order=summary)
    error = order_pb2.EntryError(
        code=outcome.code.value[0], reason=outcome.reason, message=outcome.message, metadata=outcome.metadata
    )
    return order_pb2.CreateOrderResult(error=error)
