"""What the service answers instead of a customer. Metadata holds `customer_id`: one id, or several separated by commas."""

from service_runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotAccepted,
    NotFound,
    Unavailable,
    Violation,
)


class CustomerNotFound(NotFound):
    """There is no such customer."""

    reason = "CUSTOMER_NOT_FOUND"


class CustomerExists(AlreadyExists):
    """The customer_id belongs to a customer who was created with other content."""

    reason = "CUSTOMER_EXISTS"


class DocumentTaken(AlreadyExists):
    """Another customer has this document."""

    reason = "DOCUMENT_TAKEN"


class CustomerAnonymized(FailedPrecondition):
    """The person was removed from this customer, for ever."""

    reason = "CUSTOMER_ANONYMIZED"


class AnonymizationPending(Unavailable):
    """The person is gone from the customer, and will be from the orders, without the caller: ask again to learn when."""

    reason = "ANONYMIZATION_PENDING"


class OrdersUnavailable(NotAccepted):
    """The order service does not answer in time."""


class DocumentsNotReady(NotAccepted):
    """Documents are being encrypted, as after an update: ask again."""


class BornAfterToday(InvalidArgument):
    """The database's clock has not come to this day yet, though the service's has."""

    def __init__(self) -> None:
        super().__init__([Violation("customer.birth_date", "must be from 1900-01-01 to today")])
