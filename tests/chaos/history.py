"""What was asked and what was answered: every call with its times, in the words that the checks use."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tests.chaos.wishes import Lines, Return, Wish

UNANSWERED = "UNANSWERED"
SOLD_OUT = "OUT_OF_STOCK"
REUSED = "REQUEST_ID_REUSED"
CONFIRMED, CANCELLING, CANCELLED = "CONFIRMED", "CANCELLING", "CANCELLED"
REJECTED = "REJECTED"
PENDING = "PENDING"
APPLIED = "APPLIED"
# A return is made: of an order that still is CONFIRMED, or of one that is CANCELLED by then.
RETURNED, RETURNED_ALL = "RETURNED", "RETURNED_ALL"
# These leave open what became of a request; whoever wants to know asks again.
UNDECIDED = frozenset(
    {
        UNANSWERED,
        "ORDER_PENDING",
        "ORDER_CANCELLING",
        "ORDER_RETURNING",
        "NOT_ACCEPTED",
        "OVERLOADED",
        PENDING,
        CANCELLING,
        "GRPC_UNAVAILABLE",
        "GRPC_DEADLINE_EXCEEDED",
        "GRPC_CANCELLED",
        "GRPC_RESOURCE_EXHAUSTED",
    }
)


class Op(StrEnum):
    """What a call asks for."""

    CREATE = "create"
    CANCEL = "cancel"
    RETURN = "return"
    GET = "get"
    MOVE = "move"


@dataclass(slots=True)
class Call:
    """One call, or one entry of a batch. `subject` is the id of the order, of the return, or of the movement.

    `lines` are those that were asked for, or the movement as (disc, delta); `returning` is all that a return asks for. What was answered:
    `outcome` is a status, a reason, or the status code of an error without one; `order_id`, `total_cents`, `figures`, `sold` and `back`,
    the answered lines and what came back of them, are what came along.
    """

    op: Op
    way: str
    subject: str
    lines: Lines
    replica: int
    start_s: float
    end_s: float = float("inf")
    outcome: str = UNANSWERED
    order_id: str = ""
    total_cents: int | None = None
    figures: str = ""
    sold: Lines = ()
    back: Lines | None = None
    returning: Return | None = None

    @property
    def is_decided(self) -> bool:
        """Whether the answer said what became of the request."""
        return self.outcome not in UNDECIDED

    def __str__(self) -> str:
        moved = " ".join(f"{disc[:8]}:{quantity:+d}" for disc, quantity in self.lines)
        asked = moved if self.returning is None else str(self.returning)
        told = " ".join(
            text
            for text in (
                self.outcome,
                f"of order {self.order_id}" if self.order_id not in {"", self.subject} else "",
                f"total {self.total_cents}" if self.total_cents is not None else "",
                f"left {self.figures}" if self.figures else "",
                f"back {[quantity for _, quantity in self.back]}" if self.back is not None else "",
            )
            if text
        )
        return f"{self.start_s:9.3f} to {self.end_s:9.3f} s  {self.op} ({self.way}) at {self.replica}  {asked}  {told}"


class Seen(NamedTuple):
    """What a watcher was told of a disc: a revision, and the copies left; None for one who was away too long, and begins anew."""

    revision: int | None
    stock: int


@dataclass
class History:
    """All calls of a round, by their subjects, the wishes behind the orders and returns, and what each watcher was told, by disc."""

    opening: Mapping[str, int] = field(default_factory=dict)
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    wishes: dict[str, list[Wish]] = field(default_factory=lambda: defaultdict(list))
    returns: dict[str, list[Return]] = field(default_factory=lambda: defaultdict(list))
    outcomes: Counter[str] = field(default_factory=Counter)
    watched: list[dict[str, list[Seen]]] = field(default_factory=list)
    _zero_s: float = field(default_factory=time.monotonic)

    def now_s(self) -> float:
        """Seconds since the round began."""
        return time.monotonic() - self._zero_s

    def begin(self, op: Op, way: str, subject: str, lines: Lines, replica: int) -> Call:
        """Writes down that a call goes out, before it does."""
        call = Call(op, way, subject, lines, replica, self.now_s())
        self.calls[subject].append(call)
        return call

    def begin_wish(self, way: str, wish: Wish, replica: int) -> Call:
        """Writes down that an order is asked for."""
        if wish not in self.wishes[wish.order_id]:
            self.wishes[wish.order_id].append(wish)
        return self.begin(Op.CREATE, way, wish.order_id, wish.lines, replica)

    def begin_return(self, way: str, returning: Return, replica: int) -> Call:
        """Writes down that copies are to come back."""
        if returning not in self.returns[returning.return_id]:
            self.returns[returning.return_id].append(returning)
        call = self.begin(Op.RETURN, way, returning.return_id, returning.lines, replica)
        call.returning = returning
        return call

    def end(self, call: Call, outcome: str) -> None:
        """Writes down what was answered, after it was."""
        call.outcome = outcome
        call.end_s = self.now_s()
        self.outcomes[f"{call.op}.{outcome}"] += 1

    def of(self, subject: str, *ops: Op) -> Sequence[Call]:
        """The calls about an order, a return or a movement, in the order in which they went out; of these kinds only, if any is named."""
        calls = self.calls.get(subject, [])
        return [call for call in calls if call.op in ops] if ops else calls

    def acknowledged(self) -> set[str]:
        """The orders that somebody was told are CONFIRMED."""
        return {
            subject
            for subject, calls in self.calls.items()
            if any(call.op is Op.CREATE and call.outcome == CONFIRMED for call in calls)
        }
