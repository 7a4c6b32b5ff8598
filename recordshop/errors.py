"""What can go wrong in the shop, as exceptions: one class for each reason that the services give.

`recordshop.error_details` makes them of failed gRPC calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import grpc


@dataclass(frozen=True)
class Failure:
    """A failed call as it was answered (AIP-193).

    `violations` maps the path of each bad field to what is wrong with it. `retry_after_s` is how long the service wants to be left alone.
    """

    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None


class ShopError(Exception):
    """The shop did not do what was asked; it has the fields of `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure
        self.code = failure.code
        self.message = failure.message
        self.reason = failure.reason
        self.metadata = failure.metadata
        self.violations = failure.violations
        self.retry_after_s = failure.retry_after_s

    @property
    def order_id(self) -> str | None:
        """UUID of the order that the error is about; None where the service named none."""
        return self.metadata.get("order_id")

    @property
    def disc_ids(self) -> tuple[str, ...]:
        """UUIDs of the discs that the error is about, in the order of the order's lines."""
        return _items(self.metadata, "disc_id")

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


class InvalidArgument(ShopError):
    """A field is malformed or out of bounds; `violations` names all bad fields. Nothing was done."""


class NotFound(ShopError):
    """There is no such thing."""


class DiscNotFound(NotFound):
    """There is no such disc: see `disc_ids`. An order for it is rejected, and stays so."""


class CustomerNotFound(NotFound):
    """There is no such customer. Nothing was recorded."""


class OrderNotFound(NotFound):
    """There is no such order."""


class ReservationNotFound(NotFound):
    """There is no such reservation of these discs."""


class AlreadyExists(ShopError):
    """The id stands for something else already."""


class RequestIdReused(AlreadyExists):
    """The request_id was used with other lines before: `order_id` is the order that has it. Nothing was done."""


class MovementIdReused(AlreadyExists):
    """The movement_id was used with another delta or reason before. Nothing was done."""


class DiscExists(AlreadyExists):
    """A disc that was created with other content has the id."""


class CustomerExists(AlreadyExists):
    """A customer who was created with other content has the id."""


class DocumentTaken(AlreadyExists):
    """Another customer has the document."""


class FailedPrecondition(ShopError):
    """The state of things does not allow it."""


class StockFigures(NamedTuple):
    """Copies of one disc: how many were asked for, and how many were left (None: not said)."""

    asked: int
    left: int | None


class OutOfStock(FailedPrecondition):
    """Fewer copies were left than were asked for. The refusal stays with its request_id: take a new one to try again."""

    @property
    def lines(self) -> Mapping[str, StockFigures]:
        """Figures of every line by disc_id, of those that had enough copies too; empty if the service sent none that make sense."""
        try:
            asked = [int(text) for text in _items(self.metadata, "asked")]
            left = [int(text) if text else None for text in _items(self.metadata, "left")]
            return dict(zip(self.disc_ids, map(StockFigures, asked, left), strict=True))
        except ValueError:
            return {}


class DiscDeleted(FailedPrecondition):
    """The disc was taken off sale: see `disc_ids`. An order for it is rejected, and stays so."""


class CustomerInactive(FailedPrecondition):
    """The customer may not place orders. The order is rejected, and stays so."""


class CustomerAnonymized(FailedPrecondition):
    """The person was removed from the customer, for ever."""


class OrderNotCancellable(FailedPrecondition):
    """The order was rejected, or cancelled before, so that there is nothing to give back."""


class OrderNotDecided(FailedPrecondition):
    """The order is not decided yet: it has no copies to return, but the whole of it can be cancelled."""


class ReturnFigures(NamedTuple):
    """Copies of one disc: how many should come back, how many the order was sold, and how many of those came back before."""

    asked: int
    sold: int
    returned: int


class ReturnExceedsSale(FailedPrecondition):
    """More copies should come back than the order still has. Nothing was returned."""

    @property
    def lines(self) -> Mapping[str, ReturnFigures]:
        """Figures of every line that was asked for, by disc_id; empty if the service sent none that make sense."""
        try:
            columns = [[int(text) for text in _items(self.metadata, key)] for key in ReturnFigures._fields]
            return dict(zip(self.disc_ids, map(ReturnFigures, *columns), strict=True))
        except ValueError:
            return {}


class ReturnExceedsHeld(FailedPrecondition):
    """More copies should come back than the reservation holds. Nothing was done."""


class StockBelowZero(FailedPrecondition):
    """The movement would have taken more copies than were left; its refusal stays with its movement_id."""


class StockAboveMaximum(FailedPrecondition):
    """The movement would have raised the stock above what a disc can have; its refusal stays with its movement_id."""


class ReservationReleased(FailedPrecondition):
    """The reservation was released, perhaps before it was ever made."""


class ReservationDiscsDiffer(FailedPrecondition):
    """The discs that were named are not the reservation's. Nothing was done."""


class Aborted(ShopError):
    """Something else came first."""


class EtagMismatch(Aborted):
    """It was edited since the etag was read: read it again, and edit that."""


class ConflictRetriesExhausted(Aborted):
    """Others kept changing the discs first. An order is PENDING, and settled without the caller: ask again with the same id."""


class ResourceExhausted(ShopError):
    """A limit was reached: of a service, of grpc, or of what lies between."""


class Overloaded(ResourceExhausted):
    """The service has too much to do, and nothing was done: ask again after `retry_after_s`."""


class RateLimited(ResourceExhausted):
    """The caller, or the customer, asked for more than their share of the time. Nothing was done: ask again after `retry_after_s`."""


class TooManyCalls(ResourceExhausted):
    """The caller has too many calls running, and nothing was done: ask again when one of them has ended."""


class OutOfRange(ShopError):
    """There is nothing there, or nothing any more."""


class RevisionTooOld(OutOfRange):
    """More has changed since the revision than is kept, so that something would be missed: watch anew, without the revision."""


class RevisionAhead(OutOfRange):
    """The disc has not come to the revision, which another disc or a lost database had: watch anew, without the revision."""


class Unavailable(ShopError):
    """There was no answer; what was asked may have been done."""


class NotAccepted(Unavailable):
    """The service cannot reach what it needs. An order was not taken in; other writes may have been done."""


class WatchEnded(Unavailable):
    """This process of the service is going away: watch again, from where you are."""


class OrderPending(Unavailable):
    """The order may have been taken in, and is settled without the caller: ask again with the same request_id."""


class OrderCancelling(Unavailable):
    """The order will be cancelled, without the caller."""


class OrderReturning(Unavailable):
    """The return may have been taken in, and is carried out without the caller then: ask again with the same request_id."""


class AnonymizationPending(Unavailable):
    """The person is gone from the customer, and will be from the orders, without the caller: ask again to learn when."""


class DeadlineExceeded(ShopError):
    """The time for the call was up; what was asked may have been done."""


class CancelledRemotely(ShopError):
    """The service's side ended the call; what was asked may have been done."""


class Unauthenticated(ShopError):
    """The service does not know who is calling. Nothing was done."""


class PermissionDenied(ShopError):
    """The caller may not do this. Nothing was done."""


class Unimplemented(ShopError):
    """The service has no such method. Nothing was done."""


class Internal(ShopError):
    """The service failed at the call; what was asked may have been done."""


class OutcomeUnknown(ShopError):
    """The time or the attempts were used up, and what was asked may or may not have been done.

    Calling again with `repeat_id` is safe and finds out: it is the disc_id of create_disc, the customer_id of
    create_customer, the request_id of an order. The other fields are those of the last error that told something, which
    is the `__cause__` as well.
    """

    def __init__(self, failure: Failure, repeat_id: str) -> None:
        super().__init__(failure)
        self.args = (failure, repeat_id)
        self.repeat_id = repeat_id

    def __str__(self) -> str:
        return f"the outcome is unknown; ask again with the same id, {self.repeat_id} ({super().__str__()})"


class OrderUndecided(OutcomeUnknown):
    """It is not known what became of the order, or of its cancel: ask again with the same `request_id`; nothing is bought twice.

    `order_id` is the order's UUID, None where no answer named it: with it, GetOrder and CancelOrder are open as well.
    """

    def __init__(self, failure: Failure, request_id: str, order_id: str | None) -> None:
        super().__init__(failure, request_id)
        self.args = (failure, request_id, order_id)
        self._order_id = order_id

    @property
    def request_id(self) -> str:
        """The request_id of all attempts, also where the client made it."""
        return self.repeat_id

    @property
    def order_id(self) -> str | None:
        """UUID of the order; None where no answer named it."""
        return self._order_id


def _items(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    text = metadata.get(key)
    return tuple(text.split(",")) if text else ()
