"""The errors that a service answers, and their form on the wire: google.rpc.Status with one ErrorInfo (AIP-193)."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "recordshop"
TYPE_URL = "type.googleapis.com/"
RETRY_AFTER_S = 0.25

# An error travels in the trailing metadata, of which grpc's clients take 8 KiB unless told otherwise: beyond that they see
# RESOURCE_EXHAUSTED instead of the error. The message travels twice, the violations and the metadata once.
MESSAGE_SIZE_MAX_BYTES = 700
VIOLATIONS_SIZE_MAX_BYTES = 5_500
VIOLATION_OVERHEAD_BYTES = 8
MISSING_IDS_MAX = 150


@dataclass(frozen=True)
class Violation:
    """One bad field: its path in the request, and what is wrong with it."""

    field: str
    description: str

    @property
    def size_bytes(self) -> int:
        """What it takes on the wire, roughly."""
        return len(self.field.encode()) + len(self.description.encode()) + VIOLATION_OVERHEAD_BYTES


class ServiceError(Exception):
    """The call could not be answered.

    One class is one status code and one reason; the first sentence of its docstring is its message. Metadata values are shown to the
    caller: they hold ids and figures, never a person's data.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    _sentence: ClassVar[str]

    def __init_subclass__(cls) -> None:
        # Once for each class: after a drop most answers are errors.
        cls._sentence = re.sub(r"\s+", " ", inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0])

    def __init__(self, metadata: Mapping[str, str] | None = None, *, retry_after_s: float | None = None) -> None:
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The sentence that the caller reads."""
        return self._sentence

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
        self.violations = _first_that_fit(violations, VIOLATIONS_SIZE_MAX_BYTES)
        self.violation_count = len(violations)
        super().__init__()

    @property
    def message(self) -> str:
        """The message names the bad fields, for callers who do not read details."""
        named = _first_that_fit(self.violations, MESSAGE_SIZE_MAX_BYTES)
        texts = [f"{violation.field}: {violation.description}" for violation in named]
        if len(named) < self.violation_count:
            texts.append(f"and {self.violation_count - len(named):,} more")
        return "; ".join(texts)

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


class OutOfRange(ServiceError):
    """There is nothing there, or nothing any more."""

    code = grpc.StatusCode.OUT_OF_RANGE


class AlreadyExists(ServiceError):
    """The id is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class Aborted(ServiceError):
    """Something else came first."""

    code = grpc.StatusCode.ABORTED


class EtagMismatch(Aborted):
    """It was edited since the etag was read: read it again, and edit that."""

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


class ShareUsedUp(ServiceError):
    """The caller has had their share, and nothing was done: ask again a little later."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class DeadlineForced(ServiceError):
    """The call gave no deadline and took too long: what was asked may have been done. Ask again with the same ids, and give a deadline."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_MISSING"


class Internal(ServiceError):
    """The service failed at this call; its log says why."""


def missing_ids(name: str, ids: Iterable[UUID]) -> dict[str, str]:
    """Metadata of a NotFound about several things: their ids, separated by commas, as many as fit; and how many there are."""
    missing = [str(missing_id) for missing_id in ids]
    return {name: ",".join(missing[:MISSING_IDS_MAX]), "missing": str(len(missing))}


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Reads a neighbour's answer: the ErrorInfo of an error that a service of the shop decided, else None."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _first_that_fit(violations: Sequence[Violation], size_max_bytes: int) -> tuple[Violation, ...]:
    size_bytes = 0
    for count, violation in enumerate(violations):
        size_bytes += violation.size_bytes
        if size_bytes > size_max_bytes:
            return tuple(violations[: max(count, 1)])
    return tuple(violations)


def _packed(
    detail: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo | error_details_pb2.BadRequest,
) -> any_pb2.Any:
    return any_pb2.Any(type_url=TYPE_URL + detail.DESCRIPTOR.full_name, value=detail.SerializeToString())
