"""What the stock room refuses, and why."""

from service_runtime.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound, OutOfRange


class OutOfStock(FailedPrecondition):
    """Fewer copies of the disc are left than were asked for."""

    reason = "OUT_OF_STOCK"


class ConflictRetriesExhausted(Aborted):
    """Others kept changing the discs first, and nothing was decided: ask again with the same reservation_id."""

    reason = "CONFLICT_RETRIES_EXHAUSTED"


class ReservationReleased(FailedPrecondition):
    """The reservation was released: its id takes no stock any more."""

    reason = "RESERVATION_RELEASED"


class RequestIdReused(AlreadyExists):
    """The id was used with other lines."""

    reason = "REQUEST_ID_REUSED"


class ReservationDiscsDiffer(FailedPrecondition):
    """The reservation has other discs than were named: nothing was released."""

    reason = "RESERVATION_DISCS_DIFFER"


class ReservationNotFound(NotFound):
    """There is no such reservation of these discs."""

    reason = "RESERVATION_NOT_FOUND"


class ReturnExceedsHeld(FailedPrecondition):
    """More copies would come back than the reservation holds: nothing was changed."""

    reason = "RETURN_EXCEEDS_HELD"


class StockBelowZero(FailedPrecondition):
    """More copies would go than are left."""

    reason = "STOCK_BELOW_ZERO"


class StockAboveMaximum(FailedPrecondition):
    """More copies would come than a disc may have on the shelf."""

    reason = "STOCK_ABOVE_MAXIMUM"


class MovementIdReused(AlreadyExists):
    """The movement's id was used with another delta or reason."""

    reason = "MOVEMENT_ID_REUSED"


class RevisionTooOld(OutOfRange):
    """More changes have come since the revision than are kept: watch anew, from a snapshot."""

    reason = "REVISION_TOO_OLD"


class RevisionAhead(OutOfRange):
    """The disc has not come to the revision, which another disc or a lost database had: watch anew, from a snapshot."""

    reason = "REVISION_AHEAD"
