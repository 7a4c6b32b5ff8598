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
    response = order_pb2.BatchCreateOrdersResponse()
    for outcome in outcomes:
        _fill_in(response.results.add(), outcome)
    return response


def message_to_proto(
    message: order_pb2.PlaceOrdersRequest, outcomes: Sequence[Outcome]
) -> order_pb2.PlaceOrdersResponse:
    """Answers one message of a stream, one result for each entry."""
    response = order_pb2.PlaceOrdersResponse()
    for request, outcome in zip(message.requests, outcomes, strict=True):
        placed = response.results.add()
        placed.customer_id = request.customer_id
        placed.request_id = request.request_id
        _fill_in(placed.result, outcome)
    return response


def _fill_in(result: order_pb2.CreateOrderResult, outcome: Outcome) -> None:
    """Fields that are set where they stand take half the time of messages that are made and then copied into others."""
    if isinstance(outcome, Order) and outcome.reason is not None:
        outcome = rejection(outcome, outcome.reason)
    if isinstance(outcome, Order):
        summary = result.order
        summary.order_id = str(outcome.id)
        summary.request_id = outcome.request_id
        summary.status = STATUSES[outcome.status]
        summary.total_cents = outcome.total_cents
        return
    error = result.error
    error.code = outcome.code.value[0]
    error.reason = outcome.reason
    error.message = outcome.message
    error.metadata.update(outcome.metadata)
