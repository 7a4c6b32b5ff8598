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


class ReturnCrash(Crash):
    """A kill in a return, which is of 2 of 5 copies, or of all 5 if it ends as CANCELLED; the first steps of both look the same."""

    def __str__(self) -> str:
        return f"{super().__str__()}-{self.ends}"


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
# The order service dies in CancelOrder for a part.
RETURNING = (
    ReturnCrash("order.return_recorded", OnDisk("CONFIRMED", "RESERVED", 1, (0, 0)), "CONFIRMED"),
    ReturnCrash("order.stock_returned", OnDisk("CONFIRMED", "RESERVED", 1, (0, 2)), "CONFIRMED"),
    ReturnCrash("order.returned", OnDisk("CONFIRMED", "RESERVED", 0, (2, 2)), "CONFIRMED"),
    ReturnCrash("order.return_recorded", OnDisk("CONFIRMED", "RESERVED", 1, (0, 0)), "CANCELLED"),
    ReturnCrash("order.stock_returned", OnDisk("CONFIRMED", "RESERVED", 1, (0, 5)), "CANCELLED"),
    ReturnCrash("order.returned", OnDisk("CANCELLING", "RESERVED", 1, (5, 5)), "CANCELLED"),
    ReturnCrash("order.stock_released", OnDisk("CANCELLING", "RELEASED", 1, (5, 5)), "CANCELLED"),
    ReturnCrash("order.cancelled", OnDisk("CANCELLED", "RELEASED", 0, (5, 5)), "CANCELLED"),
)
# It died when it had recorded such a return, and dies again while its recovery drives that on.
RETURN_RECOVERING = (
    ReturnCrash("recovery.claimed", OnDisk("CONFIRMED", "RESERVED", 1, (0, 0)), "CONFIRMED"),
    ReturnCrash("order.stock_returned", OnDisk("CONFIRMED", "RESERVED", 1, (0, 2)), "CONFIRMED"),
    ReturnCrash("order.returned", OnDisk("CONFIRMED", "RESERVED", 0, (2, 2)), "CONFIRMED"),
    ReturnCrash("recovery.settled", OnDisk("CONFIRMED", "RESERVED", 0, (2, 2)), "CONFIRMED"),
    ReturnCrash("order.returned", OnDisk("CANCELLING", "RESERVED", 1, (5, 5)), "CANCELLED"),
    ReturnCrash("order.cancelled", OnDisk("CANCELLED", "RELEASED", 0, (5, 5)), "CANCELLED"),
)
# The catalog dies between the commit of a return and its answer.
RETURN_ANSWERING = (
    ReturnCrash("catalog.returned", OnDisk("CONFIRMED", "RESERVED", 1, (0, 2)), "CONFIRMED"),
    ReturnCrash("catalog.returned", OnDisk("CONFIRMED", "RESERVED", 1, (0, 5)), "CANCELLED"),
)
# The customer service dies in AnonymizeCustomer: the orders do not know of it yet, or know it already. No order changes its status.
ANONYMIZING = ("customer.anonymized", "customer.orders_anonymized")
ALL = (*PLACING, *CANCELLING, *RECOVERING, *ANSWERING, *RETURNING, *RETURN_RECOVERING, *RETURN_ANSWERING)
