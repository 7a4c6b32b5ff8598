"""The words of the order service."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from service_runtime.quantities import fingerprint

LINES_MAX = 50
QUANTITY_MAX = 1_000
BATCH_SIZE_MAX = 1_000
MESSAGE_SIZE_MAX = 100
CUSTOMER_BITS = 12


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
        return self in {OrderStatus.PENDING, OrderStatus.CANCELLING}


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
    whole = int.from_bytes(hashlib.sha256(customer_id.bytes + request_id.encode()).digest()[:16], "big")
    customer = int.from_bytes(hashlib.sha256(customer_id.bytes).digest()[:2], "big") >> (16 - CUSTOMER_BITS)
    value = (customer << (128 - CUSTOMER_BITS)) | (whole & ((1 << (128 - CUSTOMER_BITS)) - 1))
    value = (value & ~(0xF << 76)) | (8 << 76)
    value = (value & ~(0b11 << 62)) | (0b10 << 62)
    return UUID(int=value)


@dataclass(frozen=True)
class OrderDraft:
    """An order that somebody asks for: quantities by disc, one line a disc."""

    customer_id: UUID
    request_id: str
    quantities: Mapping[UUID, int]

    @cached_property
    def order_id(self) -> UUID:
        """The id that the order has, or will have."""
        return order_id_for(self.customer_id, self.request_id)

    @cached_property
    def disc_ids(self) -> list[UUID]:
        """The discs in the order in which everybody locks them."""
        return sorted(self.quantities)

    @cached_property
    def fingerprint(self) -> bytes:
        """Tells these lines from others under the same id."""
        return fingerprint(self.quantities)


@dataclass(frozen=True)
class Customer:
    """What an order keeps of its customer, and whether the customer may buy."""

    name: str
    masked_document: str
    active: bool


@dataclass(frozen=True)
class OrderLine:
    """An order's part for one disc; what was sold, or left, is None before the decision."""

    disc_id: UUID
    quantity: int
    name: str | None = None
    artist: str | None = None
    price_cents: int | None = None
    stock_left: int | None = None


@dataclass(frozen=True)
class Order:
    """An order as it stands in its row, lines in the order of disc ids.

    refused_disc_ids are those that are not on sale, where that was the reason.
    work_id names the row of the journal that the statement behind this value wrote; whoever ends the order may take it along.
    """

    id: UUID
    request_id: str
    customer_id: UUID
    customer_name: str
    masked_document: str
    fingerprint: bytes
    lines: Sequence[OrderLine]
    total_cents: int
    status: OrderStatus
    reason: RejectionReason | None
    refused_disc_ids: Sequence[UUID]
    create_time: datetime
    update_time: datetime
    work_id: UUID | None = None

    @property
    def disc_ids(self) -> list[UUID]:
        """The discs in the order in which everybody locks them."""
        return [line.disc_id for line in self.lines]


@dataclass(frozen=True)
class SoldLine:
    """A disc as the catalog sold it."""

    name: str
    artist: str
    price_cents: int


@dataclass(frozen=True)
class Reserved:
    """The catalog holds the copies; lines in the order of the order's own."""

    lines: Sequence[SoldLine]


@dataclass(frozen=True)
class Refused:
    """The catalog refused, for ever, because of these discs; stock_left tells how many were left, where that was the reason."""

    reason: RejectionReason
    disc_ids: Sequence[UUID]
    stock_left: Mapping[UUID, int]


@dataclass(frozen=True)
class Released:
    """The reservation was released before: this id gets no copies any more."""


StockAnswer = Reserved | Refused | Released
