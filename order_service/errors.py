"""What the order service refuses, and why."""

from service_runtime.errors import AlreadyExists, FailedPrecondition, NotAccepted, NotFound, Unavailable


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
    """The order was rejected: there is nothing to cancel."""

    reason = "ORDER_NOT_CANCELLABLE"


class RequestIdReused(AlreadyExists):
    """The customer used this request_id with other lines."""

    reason = "REQUEST_ID_REUSED"


class OrderPending(Unavailable):
    """The order may have been taken in and will be settled: repeat with the same request_id, GetOrder or CancelOrder."""

    reason = "ORDER_PENDING"


class OrderCancelling(Unavailable):
    """The order will be cancelled: repeat, or look with GetOrder."""

    reason = "ORDER_CANCELLING"


class CustomersUnavailable(NotAccepted):
    """The customer service does not answer right now, and nothing was taken in: ask again."""


class CatalogUnavailable(NotAccepted):
    """The catalog does not answer right now: ask again."""
