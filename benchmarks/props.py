"""What every shop of a benchmark has before its first order: who buys, and what."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from recordshop.order.v1 import order_pb2

PROPS_VARIABLE = "BENCH_PROPS"
# These stand in a request for any of the discs, or of those that have no copies at first; the entry point of the order service puts one in.
ANY_DISC = "00000000-0000-0000-0000-000000000000"
ANY_EMPTY_DISC = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, kw_only=True)
class Props:
    """Ids of discs and customers, and an order as the shop answered it, as hexadecimal digits of its message."""

    hot_disc_id: str
    sold_out_disc_id: str
    disc_ids: tuple[str, ...]
    empty_disc_ids: tuple[str, ...]
    customer_ids: tuple[str, ...]
    order_hex: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        known = json.loads(path.read_text(encoding="utf-8"))
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in known.items()
        }
        return cls(**fields)

    def write(self, path: Path) -> None:
        """Write them to where the benchmark's entry points read them from."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def request(self, disc_id: str) -> order_pb2.CreateOrderRequest:
        """Return a request for one copy; the entry point of the order service makes a new one of it for each call."""
        line = order_pb2.OrderLineRequest(disc_id=disc_id, quantity=1)
        return order_pb2.CreateOrderRequest(customer_id=self.customer_ids[0], request_id="bench", lines=[line])

    def batch(self, disc_id: str, size: int) -> order_pb2.BatchCreateOrdersRequest:
        """Return a request for `size` orders of one copy each."""
        return order_pb2.BatchCreateOrdersRequest(requests=[self.request(disc_id)] * size)

    def message(self, disc_id: str, size: int) -> order_pb2.PlaceOrdersRequest:
        """Return a stream's message with `size` orders of one copy each."""
        return order_pb2.PlaceOrdersRequest(requests=[self.request(disc_id)] * size)
