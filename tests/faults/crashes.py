"""Where a process is killed, what is on disk at that moment, and how the order ends: one line for each test of a kill."""

from dataclasses import dataclass

from tests.faults.books import OnDisk


@dataclass(frozen=True)
class Crash:
    """A kill at a failpoint. `ends` is the order's last status before its caller asks again; None if it was never taken in."""

    failpoint: str
    on_disk: OnDisk
    ends: str | None

    def __str__(self) -> str:
        return f"{self.failpoint}-{self.on_disk.order}-{self.on_disk.ledger}"

    @property
    def refused(self) -> bool:
        """Whether the catalog has refused the order for good, whoever knows of it."""
        return self.on_disk.ledger == "DENIED"

    @property
    def short_way(self) -> bool:
        """Whether only orders of a disc that is expected to be sold out come by."""
        return self.failpoint in {"order.denied", "catalog.denied"}


# The order service dies in CreateOrder.
PLACING = (
    Crash("order.customer_known", OnDisk(None, None, 0), None),
    Crash("order.denied", OnDisk(None, "DENIED", 0), None),
    Crash("order.taken_in", OnDisk("PENDING", None, 1), "CONFIRMED"),
    Crash("order.stock_answered", OnDisk("PENDING", "RESERVED", 1), "CONFIRMED"),
    Crash("order.stock_answered", OnDisk("PENDING", "DENIED", 1), "REJECTED"),
    Crash("order.decided", OnDisk("CONFIRMED", "RESERVED", 0), "CONFIRMED"),
    Crash("order.decided", OnDisk("REJECTED", "DENIED", 0), "REJECTED"),
)
# The order service dies in CancelOrder. An order that is not decided yet has its first row in the journal as well.
CANCELLING = (
    Crash("order.marked_cancelling", OnDisk("CANCELLING", "RESERVED", 1), "CANCELLED"),
    Crash("order.marked_cancelling", OnDisk("CANCELLING", None, 2), "CANCELLED"),
    Crash("order.stock_released", OnDisk("CANCELLING", "RELEASED", 1), "CANCELLED"),
    Crash("order.cancelled", OnDisk("CANCELLED", "RELEASED", 0), "CANCELLED"),
)
# The order service died in CreateOrder or in CancelOrder, and dies again while its recovery drives that on.
RECOVERING = (
    Crash("recovery.claimed", OnDisk("PENDING", None, 1), "CONFIRMED"),
    Crash("order.stock_answered", OnDisk("PENDING", "RESERVED", 1), "CONFIRMED"),
    Crash("order.decided", OnDisk("CONFIRMED", "RESERVED", 1), "CONFIRMED"),
    Crash("recovery.settled", OnDisk("CONFIRMED", "RESERVED", 1), "CONFIRMED"),
    Crash("order.stock_released", OnDisk("CANCELLING", "RELEASED", 1), "CANCELLED"),
    Crash("order.cancelled", OnDisk("CANCELLED", "RELEASED", 1), "CANCELLED"),
)
# The catalog dies between its commit and its answer.
ANSWERING = (
    Crash("catalog.decided", OnDisk("PENDING", "RESERVED", 1), "CONFIRMED"),
    Crash("catalog.decided", OnDisk("PENDING", "DENIED", 1), "REJECTED"),
    Crash("catalog.denied", OnDisk(None, "DENIED", 0), "REJECTED"),
    Crash("catalog.released", OnDisk("CANCELLING", "RELEASED", 1), "CANCELLED"),
)
ALL = (*PLACING, *CANCELLING, *RECOVERING, *ANSWERING)
