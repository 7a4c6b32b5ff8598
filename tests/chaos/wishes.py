"""What somebody wants of the shop: an order, or copies of one to come back. Each has an id that follows from the request."""

from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from order_service.model import order_id_for
from order_service.return_model import return_id_for
from recordshop.order.v1 import order_pb2

# Lines, or a movement, by disc: each disc once, in the order of their ids.
Lines = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Wish:
    """One payload under one request_id; in whatever mode it is asked for, it is the same wish."""

    customer_id: str
    request_id: str
    lines: Lines
    mode: order_pb2.OrderMode.ValueType = field(default=order_pb2.ORDER_MODE_SYNC, compare=False)

    @cached_property
    def order_id(self) -> str:
        """The id of the order that this becomes."""
        return str(order_id_for(UUID(self.customer_id), self.request_id))


@dataclass(frozen=True)
class Return:
    """One payload under one request_id of a return: no lines mean all that is left of the order."""

    order_id: str
    request_id: str
    lines: Lines
    is_written_off: bool

    @cached_property
    def return_id(self) -> str:
        """The id of the return that this becomes."""
        return str(return_id_for(UUID(self.order_id), self.request_id))

    def __str__(self) -> str:
        asked = " ".join(f"{disc[:8]}:{quantity}" for disc, quantity in self.lines) or "all that is left"
        return f"{asked} {'written off' if self.is_written_off else 'onto the shelf'}"
