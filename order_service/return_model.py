"""The words of returns: copies of a confirmed order that come back."""

import hashlib
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from order_service.model import Order, OrderLine, OrderStatus
from service_runtime.quantities import FINGERPRINT_LENGTH_BYTES, Lines
from service_runtime.uuids import uuid_from_bytes

# Keeps the ids of returns apart from those of orders, which are hashes too.
RETURN_ID_PREFIX = b"return"


class Disposition(StrEnum):
    """Where copies go that come back."""

    RESTOCK = "RESTOCK"
    WRITE_OFF = "WRITE_OFF"


class ReturnState(StrEnum):
    """How far a return has come."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"


def return_id_for(order_id: UUID, request_id: str) -> UUID:
    """Derives a return's id, as an order's id is derived: a request that is sent again meets its own return.

    A UUIDv8 (RFC 9562) whose first 12 bits are the order's, which are its customer's.
    """
    value = bytearray(hashlib.sha256(RETURN_ID_PREFIX + order_id.bytes + request_id.encode()).digest()[:16])
    value[0] = order_id.bytes[0]
    value[1] = order_id.bytes[1] & 0xF0 | value[1] & 0x0F
    value[6] = 0x80 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return uuid_from_bytes(bytes(value))


class CancelRequest(NamedTuple):
    """An order to cancel, or copies of it to take back; no lines mean all that is left. With an owner it must be theirs."""

    order_id: UUID
    request_id: str
    lines: Lines
    disposition: Disposition
    owner: UUID | None

    @property
    def is_plain(self) -> bool:
        """Whether the whole order is to be cancelled, and nothing else: then there is no return to record."""
        return not self.lines.ids and self.disposition is Disposition.RESTOCK

    @property
    def return_id(self) -> UUID:
        """The id that the request's return has, or will have."""
        return return_id_for(self.order_id, self.request_id)

    @property
    def fingerprint(self) -> bytes:
        """Tells what is asked for from other things under the same id: all that is left is all that is left, however much it is."""
        content = self.lines.fingerprint() + self.disposition.encode()
        return hashlib.sha256(content).digest()[:FINGERPRINT_LENGTH_BYTES]


class OrderReturn(NamedTuple):
    """A return as it stands in its row; lines are what comes back, in the order of disc ids."""

    id: UUID
    order_id: UUID
    request_id: str
    fingerprint: bytes
    lines: Lines
    disposition: Disposition
    state: ReturnState = ReturnState.PENDING

    def quantities_after(self, order: Order) -> list[int]:
        """What came back of each line of the order when this return has."""
        coming = dict(zip(*self.lines, strict=True))
        return [(line.returned or 0) + coming.get(line.disc_id, 0) for line in order.lines]


def sold_quantity(line: OrderLine) -> int:
    """Copies that a line sold: none before the catalog has said at which price."""
    return 0 if line.price_cents is None else line.quantity


def returned_quantity(order: Order, line: OrderLine) -> int:
    """Copies of a line that came back: all of them with the whole order."""
    return sold_quantity(line) if order.status is OrderStatus.CANCELLED else line.returned or 0
