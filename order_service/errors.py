"""What the order service refuses, and why."""

from service_runtime.errors import Aborted, AlreadyExists, FailedPrecondition, NotAccepted, NotFound, Unavailable


class OutOfStock(FailedPrecondition):
    """Fewer copies of the disc are left than were asked for: the order is refused for good, take a new request_id to try again."""

    reason = "OUT_OF_STOCK"


class DiscNotFound(NotFound):
    """There is no such disc."""

    reason = "DISC_NOT_FOUND"


class DiscDeleted(FailedPrecondition):
    """The disc is no longer on sale."""

    reason = "DISC_DELETED"


class CustomerInactive(FailedPrecondition):
    """The customer is not active."""

    reason = "CUSTOMER_INACTIVE"


class CustomerNotFound(NotFound):
    """There is no such customer."""

    reason = "CUSTOMER_NOT_FOUND"


class OrderNotFound(NotFound):
    """There is no such order."""

    reason = "ORDER_NOT_FOUND"


class OrderNotCancellable(FailedPrecondition):
    """The order was rejected, or cancelled before: it has no copies to give back."""

    reason = "ORDER_NOT_CANCELLABLE"


class OrderNotDecided(FailedPrecondition):
    """The order is not decided yet: there are no copies to return, but the whole can be cancelled."""

    reason = "ORDER_NOT_DECIDED"


class ReturnExceedsSale(FailedPrecondition):
    """More copies would come back than the order still has: nothing was returned."""

    reason = "RETURN_EXCEEDS_SALE"


class RequestIdReused(AlreadyExists):
    """The request_id was used with other lines."""

    reason = "REQUEST_ID_REUSED"


class OrderPending(Unavailable):
    """The order may have been taken in and will be settled: repeat with the same request_id, GetOrder or CancelOrder."""

    reason = "ORDER_PENDING"


class ConflictRetriesExhausted(Aborted):
    """Others changed the discs first; the order is PENDING, and will be settled: repeat with the same request_id, or GetOrder."""

    reason = "CONFLICT_RETRIES_EXHAUSTED"


class OrderCancelling(Unavailable):
    """The order will be cancelled: repeat, or look with GetOrder."""

    reason = "ORDER_CANCELLING"


class OrderReturning(Unavailable):
    """The return may have been taken in, and will be carried out then: repeat with the same request_id, or look with GetOrder."""

    reason = "ORDER_RETURNING"


class CustomersUnavailable(NotAccepted):
    """The customer service does not answer right now, and nothing was taken in: ask again."""


class CatalogUnavailable(NotAccepted):
    """The catalog does not answer right now: ask again."""
