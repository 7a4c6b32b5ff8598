"""What the errors of all attempts at one call mean for its caller."""

from collections.abc import Sequence

from recordshop.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotAccepted,
    NotFound,
    OrderUndecided,
    OutcomeUnknown,
    Overloaded,
    PermissionDenied,
    RateLimited,
    ShopError,
    TooManyCalls,
    Unauthenticated,
    Unimplemented,
)

# These say what became of the request, whichever attempt it was that the service acted on.
ANSWERS = (InvalidArgument, NotFound, AlreadyExists, FailedPrecondition)
# These say that their own attempt did nothing. They say nothing of an attempt before them.
NOTHING_DONE = (Overloaded, RateLimited, TooManyCalls, Unauthenticated, PermissionDenied, Unimplemented)


def of_read(errors: Sequence[ShopError]) -> ShopError:
    """A read has no effect: what counts is why it was not answered, rather than that the time was up then."""
    if not isinstance(errors[-1], DeadlineExceeded):
        return errors[-1]
    return next((error for error in reversed(errors) if not isinstance(error, DeadlineExceeded)), errors[-1])


def of_create(errors: Sequence[ShopError], *, repeat_id: str) -> ShopError:
    """A write of a disc or a customer: OutcomeUnknown unless it was answered, or surely never begun."""
    if _is_settled(errors, NOTHING_DONE):
        return errors[-1]
    cause = of_read(errors)
    unknown = OutcomeUnknown(cause.failure, repeat_id)
    unknown.__cause__ = cause
    return unknown


def of_create_order(errors: Sequence[ShopError], *, request_id: str) -> ShopError:
    """A new order: NOT_ACCEPTED promises that it was not taken in, so only other errors leave it undecided."""
    if _is_settled(errors, (*NOTHING_DONE, NotAccepted)):
        return errors[-1]
    return _undecided(errors, request_id, None)


def of_cancel_order(errors: Sequence[ShopError], *, request_id: str, order_id: str) -> ShopError:
    """A cancel: undecided unless it was answered, or surely never begun."""
    if _is_settled(errors, NOTHING_DONE):
        return errors[-1]
    return _undecided(errors, request_id, order_id)


def _is_settled(errors: Sequence[ShopError], nothing_done: tuple[type[ShopError], ...]) -> bool:
    return isinstance(errors[-1], ANSWERS) or all(isinstance(error, nothing_done) for error in errors)


def _undecided(errors: Sequence[ShopError], request_id: str, order_id: str | None) -> OrderUndecided:
    cause = of_read(errors)
    named = next((error.order_id for error in reversed(errors) if error.order_id), order_id)
    undecided = OrderUndecided(cause.failure, request_id, named)
    undecided.__cause__ = cause
    return undecided
