"""The words of the order service."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

from service_runtime.quantities import Lines
from service_runtime.uuids import uuid_from_bytes

LINES_MAX = 50
QUANTITY_MAX = 1_000
BATCH_SIZE_MAX = 1_000
MESSAGE_SIZE_MAX = 100
# Of the queue, as in db/order/0004_queue.sql: all processes on a database must agree on it, so that it is no setting.
PARTITIONS = 16


class OrderStatus(StrEnum):
    """How far an order has come."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"

    @property
    def is_open(self) -> bool:
        """Whether somebody has still to drive the order on."""
        return self is OrderStatus.PENDING or self is OrderStatus.CANCELLING


class OrderMode(StrEnum):
    """When the caller is answered: once the order is decided, once it is taken in, or decided if that is soon."""

    SYNC = "sync"
    ASYNC = "async"
    HYBRID = "hybrid"


class RejectionReason(StrEnum):
    """Why an order was rejected."""

    OUT_OF_STOCK = "OUT_OF_STOCK"
    DISC_NOT_FOUND = "DISC_NOT_FOUND"
    DISC_DELETED = "DISC_DELETED"
    CUSTOMER_INACTIVE = "CUSTOMER_INACTIVE"


def order_id_for(customer_id: UUID, request_id: str) -> UUID:
    """Derives an order's id: a request that is sent again meets its own order, and nobody ever invents an id for a retry to miss.

    A UUIDv8 (RFC 9562): SHA-256 over the customer's 16 bytes and the request_id, with the first 12 bits from the customer alone, so that a
    customer's orders can be kept together.
    """
    digest = hashlib.sha256(customer_id.bytes)
    customer = digest.digest()
    digest.update(request_id.encode())
    value = bytearray(digest.digest()[:16])
    value[0] = customer[0]
    value[1] = customer[1] & 0xF0 | value[1] & 0x0F
    value[6] = 0x80 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return uuid_from_bytes(bytes(value))


# What an order goes through on its way are named tuples: as fixed as frozen dataclasses, and made in a fifth of their time.


class OrderDraft(NamedTuple):
    """An order that somebody asks for; fingerprint tells its lines from others under the same id.

    mode is None for a caller who leaves it to the service.
    """

    order_id: UUID
    customer_id: UUID
    request_id: str
    lines: Lines
    fingerprint: bytes
    mode: OrderMode | None = None

    @classmethod
    def of(cls, customer_id: UUID, request_id: str, lines: Lines, mode: OrderMode | None = None) -> Self:
        """The order that a customer asks for."""
        return cls(order_id_for(customer_id, request_id), customer_id, request_id, lines, lines.fingerprint(), mode)

    @property
    def partition(self) -> int:
        """Where the order would wait in the queue: all orders that begin with the same disc wait in one partition."""
        return self.lines.ids[0].bytes[-1] % PARTITIONS


class Customer(NamedTuple):
    """What an order keeps of its customer, and whether the customer may buy."""

    name: str
    masked_document: str
    active: bool


class Placement(NamedTuple):
    """An order that is taken in. stock_left is None unless the catalog has denied its one line already."""

    draft: OrderDraft
    customer: Customer
    stock_left: int | None = None


class OrderLine(NamedTuple):
    """An order's part for one disc; what was sold, or left, is None before the decision.

    returned is None while nothing came back of the order.
    """

    disc_id: UUID
    quantity: int
    name: str | None = None
    artist: str | None = None
    price_cents: int | None = None
    stock_left: int | None = None
    returned: int | None = None


class Order(NamedTuple):
    """An order as it stands in its row, lines in the order of disc ids.

    refused_disc_ids are those that are not on sale, where that was the reason.
    work_id names the row of the journal that the statement behind this value wrote; whoever ends the order may take it along.
    open_return_id names the return that is under way.
    partition is where a PENDING order waits in the queue; None if it does not.
    """

    id: UUID
    request_id: str
    customer_id: UUID
    customer_name: str
    masked_document: str
    fingerprint: bytes
    lines: tuple[OrderLine, ...]
    total_cents: int
    status: OrderStatus
    reason: RejectionReason | None
    refused_disc_ids: Sequence[UUID]
    create_time: datetime
    update_time: datetime
    work_id: UUID | None = None
    cancel_request_id: str | None = None
    open_return_id: UUID | None = None
    partition: int | None = None

    @property
    def is_queued(self) -> bool:
        """Whether the order waits for its turn in the queue: nobody but the queue's worker may have it decided."""
        return self.partition is not None and self.status is OrderStatus.PENDING

    @property
    def disc_ids(self) -> list[UUID]:
        """The discs in the order in which everybody locks them."""
        return [line.disc_id for line in self.lines]

    def confirmed(self, lines: tuple[OrderLine, ...], total_cents: int, update_time: datetime) -> "Order":
        """This order with its copies sold. What most orders come to: written out, it takes a third of `_replace`'s time."""
        return Order(
            self.id,
            self.request_id,
            self.customer_id,
            self.customer_name,
            self.masked_document,
            self.fingerprint,
            lines,
            total_cents,
            OrderStatus.CONFIRMED,
            None,
            (),
            self.create_time,
            update_time,
            self.work_id,
        )


class SoldLine(NamedTuple):
    """A disc as the catalog sold it."""

    name: str
    artist: str
    price_cents: int


class Reserved(NamedTuple):
    """The catalog holds the copies; lines in the order of the order's own."""

    lines: tuple[SoldLine, ...]


class Refused(NamedTuple):
    """The catalog refused, for ever, because of these discs; stock_left tells how many were left, where that was the reason."""

    reason: RejectionReason
    disc_ids: Sequence[UUID]
    stock_left: Mapping[UUID, int]


class Released(NamedTuple):
    """The reservation was released before: this id gets no copies any more."""


class Reused(NamedTuple):
    """Other lines of this id were denied ahead of the order, which gets no copies any more either."""


StockAnswer = Reserved | Refused | Released | Reused
