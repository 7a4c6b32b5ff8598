"""Reads a failed gRPC call: its google.rpc details become a `ShopError` of the class that its reason stands for."""

from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from recordshop import errors
from recordshop.errors import Failure, ShopError

DOMAIN = "recordshop"

CLASS_BY_REASON = MappingProxyType(
    {
        "ANONYMIZATION_PENDING": errors.AnonymizationPending,
        "CONFLICT_RETRIES_EXHAUSTED": errors.ConflictRetriesExhausted,
        "CUSTOMER_ANONYMIZED": errors.CustomerAnonymized,
        "CUSTOMER_EXISTS": errors.CustomerExists,
        "CUSTOMER_INACTIVE": errors.CustomerInactive,
        "CUSTOMER_NOT_FOUND": errors.CustomerNotFound,
        "DISC_DELETED": errors.DiscDeleted,
        "DISC_EXISTS": errors.DiscExists,
        "DISC_NOT_FOUND": errors.DiscNotFound,
        "DOCUMENT_TAKEN": errors.DocumentTaken,
        "ETAG_MISMATCH": errors.EtagMismatch,
        "MOVEMENT_ID_REUSED": errors.MovementIdReused,
        "NOT_ACCEPTED": errors.NotAccepted,
        "ORDER_CANCELLING": errors.OrderCancelling,
        "ORDER_NOT_CANCELLABLE": errors.OrderNotCancellable,
        "ORDER_NOT_DECIDED": errors.OrderNotDecided,
        "ORDER_NOT_FOUND": errors.OrderNotFound,
        "ORDER_PENDING": errors.OrderPending,
        "ORDER_RETURNING": errors.OrderReturning,
        "OUT_OF_STOCK": errors.OutOfStock,
        "OVERLOADED": errors.Overloaded,
        "RATE_LIMITED": errors.RateLimited,
        "REQUEST_ID_REUSED": errors.RequestIdReused,
        "RESERVATION_DISCS_DIFFER": errors.ReservationDiscsDiffer,
        "RESERVATION_NOT_FOUND": errors.ReservationNotFound,
        "RESERVATION_RELEASED": errors.ReservationReleased,
        "RETURN_EXCEEDS_HELD": errors.ReturnExceedsHeld,
        "RETURN_EXCEEDS_SALE": errors.ReturnExceedsSale,
        "REVISION_AHEAD": errors.RevisionAhead,
        "REVISION_TOO_OLD": errors.RevisionTooOld,
        "STOCK_ABOVE_MAXIMUM": errors.StockAboveMaximum,
        "STOCK_BELOW_ZERO": errors.StockBelowZero,
        "TOO_MANY_CALLS": errors.TooManyCalls,
        "WATCH_ENDED": errors.WatchEnded,
    }
)

# For errors without a reason of the shop's: one that this version does not know yet, or an error of grpc or of a proxy.
CLASS_BY_CODE = MappingProxyType(
    {
        grpc.StatusCode.ABORTED: errors.Aborted,
        grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
        grpc.StatusCode.CANCELLED: errors.CancelledRemotely,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
        grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
        grpc.StatusCode.INTERNAL: errors.Internal,
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidArgument,
        grpc.StatusCode.NOT_FOUND: errors.NotFound,
        grpc.StatusCode.OUT_OF_RANGE: errors.OutOfRange,
        grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
        grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
        grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
        grpc.StatusCode.UNIMPLEMENTED: errors.Unimplemented,
    }
)


def error_from_rpc(rpc_error: grpc.aio.AioRpcError) -> ShopError:
    """Makes the exception for a failed call, also for one that was made through the plain stubs."""
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    bad_request = error_details_pb2.BadRequest()
    said_retry = False
    for detail in _details(rpc_error):
        detail.Unpack(info)
        detail.Unpack(bad_request)
        said_retry |= detail.Unpack(retry)
    code = rpc_error.code()
    failure = Failure(
        code=code,
        message=rpc_error.details() or "",
        reason=info.reason,
        metadata=dict(info.metadata),
        violations=_violations(bad_request),
        retry_after_s=max(0.0, retry.retry_delay.ToTimedelta().total_seconds()) if said_retry else None,
    )
    by_code = CLASS_BY_CODE.get(code, ShopError)
    return (CLASS_BY_REASON.get(info.reason, by_code) if info.domain == DOMAIN else by_code)(failure)


def _details(rpc_error: grpc.aio.AioRpcError) -> list[Any]:
    try:
        status = rpc_status.from_call(rpc_error)
    except (DecodeError, ValueError):
        # Details that cannot be read, or belong to another status, are as good as none.
        return []
    return [] if status is None else list(status.details)


def _violations(bad_request: error_details_pb2.BadRequest) -> dict[str, str]:
    found: dict[str, str] = {}
    for violation in bad_request.field_violations:
        said = found.get(violation.field)
        found[violation.field] = violation.description if said is None else f"{said}; {violation.description}"
    return found
