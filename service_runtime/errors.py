"""The errors that a service answers, and their form on the wire: google.rpc.Status with one ErrorInfo (AIP-193)."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "recordshop"
RETRY_AFTER_S = 0.25


@dataclass(frozen=True)
class Violation:
    """One bad field: its path in the request, and what is wrong with it."""

    field: str
    description: str


class ServiceError(Exception):
    """The call could not be answered.

    One class is one status code and one reason; the first sentence of its docstring is its message. Metadata values are shown to the
    caller: they hold ids and figures, never a person's data.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, metadata: Mapping[str, str] | None = None, *, retry_after_s: float | None = None) -> None:
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The sentence that the caller reads."""
        return re.sub(r"\s+", " ", inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0])

    def details(self) -> Sequence[any_pb2.Any]:
        """The error's details in their order on the wire."""
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        details = [_packed(info)]
        if self.retry_after_s is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(int(self.retry_after_s * 1000))
            details.append(_packed(retry))
        return details

    def to_status(self) -> status_pb2.Status:
        """The error as a google.rpc.Status."""
        return status_pb2.Status(code=self.code.value[0], message=self.message, details=self.details())


class InvalidArgument(ServiceError):
    """The request has bad fields."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__()

    @property
    def message(self) -> str:
        """The message names every bad field, for callers who do not read details."""
        return "; ".join(f"{violation.field}: {violation.description}" for violation in self.violations)

    def details(self) -> Sequence[any_pb2.Any]:
        """One ErrorInfo, and one BadRequest with a violation for each field."""
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in self.violations
        ]
        return [*super().details(), _packed(error_details_pb2.BadRequest(field_violations=fields))]


class NotFound(ServiceError):
    """There is no such thing."""

    code = grpc.StatusCode.NOT_FOUND


class FailedPrecondition(ServiceError):
    """The state of things does not allow it."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class AlreadyExists(ServiceError):
    """The id is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class EtagMismatch(ServiceError):
    """It was edited since the etag was read: read it again, and edit that."""

    code = grpc.StatusCode.ABORTED
    reason = "ETAG_MISMATCH"


class Unavailable(ServiceError):
    """There was no answer in time: ask again."""

    code = grpc.StatusCode.UNAVAILABLE


class NotAccepted(Unavailable):
    """The service cannot reach what it needs right now, and nothing was taken in: ask again."""

    reason = "NOT_ACCEPTED"


class Overloaded(ServiceError):
    """The service has too much to do, and nothing was done: ask again a little later."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"

    def __init__(self) -> None:
        super().__init__(retry_after_s=RETRY_AFTER_S)


class Internal(ServiceError):
    """The service failed at this call; its log says why."""


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Reads a neighbour's answer: the ErrorInfo of an error that a service of the shop decided, else None."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _packed(
    detail: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo | error_details_pb2.BadRequest,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
