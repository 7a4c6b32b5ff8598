"""What the model is asked about: a small shop, its callers, and what may happen to them."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, Self

from tests.model.rules import ALL_RULES, Rules
from tests.model.state import CONFIRMED, NEVER, RESERVED, Catalog, Draft, Entry, Orders, Row, State, Told

CREATE, CANCEL, RETURN, RESTOCK = "CreateOrder", "CancelOrder", "return of a part", "AdjustStock"
# CreateOrder in mode ASYNC; HYBRID is CREATE with a caller who may go away, and callers may go away anyhow.
ENQUEUE = "CreateOrder, decided later"
PLACES = frozenset({CREATE, ENQUEUE})
DEACTIVATE, TAKE_OFF_SALE = "UpdateCustomer(active=false)", "DeleteDisc"


class Call(NamedTuple):
    """What a client calls, `times` times at most, each time whenever it likes, also while the last call is still under way.

    `asked` has orders and quantities, all of them where orders come as a group. RESTOCK has movements and deltas; RETURN has returns and
    quantities, 0 for all that is left.
    """

    method: str
    asked: tuple[Draft, ...] = ()
    times: int = 1


class Return(NamedTuple):
    """Whose part a return is, and whether it is written off."""

    order: int
    is_written_off: bool = False


@dataclass(frozen=True)
class World:
    """The bounds of one exploration."""

    name: str
    opening: int
    requests: int
    calls: tuple[Call, ...]
    returns: tuple[Return, ...] = ()
    # Orders that were CONFIRMED before anything else happens.
    placed: tuple[Draft, ...] = ()
    sweepers: int = 1
    # How many workers may look after the line at once: a lease may run out at any time.
    workers: int = 1
    # Whether the customer service may leave a question without an answer.
    customers: bool = False
    # Whether CreateOrder may ask first whether an order can be served.
    sold_out_way: bool = False
    # Whether a statement in the catalog looks at one moment, and writes at a later one.
    split: bool = False
    # Whether recovery claims at one moment, and reads what it claimed at a later one.
    claims_apart: bool = False
    # How many commits may be lost with a database that is replaced by its standby.
    losses: int = 0
    # Whether late requests that can change nothing any more are forgotten.
    forgets: bool = True
    rules: Rules = field(default=ALL_RULES)

    def without(self, rule: str) -> Self:
        """The same world, in which one rule does not hold. It forgets nothing, since why it may does not hold either."""
        return replace(self, rules=replace(self.rules, **{rule: False}), forgets=False)

    @cached_property
    def creates(self) -> tuple[int, ...]:
        """The calls that create orders, by number."""
        return tuple(number for number, call in enumerate(self.calls) if call.method in PLACES)

    @cached_property
    def orders(self) -> int:
        """How many orders there can be: more than requests only where each attempt makes one of its own."""
        if self.rules.id_from_request:
            return self.requests
        return self.requests + sum(call.times for call in self.calls)

    @cached_property
    def largest(self) -> tuple[int, ...]:
        """The most copies that anybody asks of each order."""
        asked = [draft for number in self.creates for draft in self.calls[number].asked]
        most = max([quantity for _, quantity in asked], default=0)
        return tuple(max([q for o, q in asked if o == order], default=most) for order in range(self.orders))

    @cached_property
    def deltas(self) -> dict[int, int]:
        """The movements, by number."""
        return {number: delta for call in self.calls if call.method == RESTOCK for number, delta in call.asked}

    @cached_property
    def enders(self) -> tuple[tuple[int, ...], ...]:
        """For each order the calls after which it may be cancelled: its cancels and returns."""

        def ends(call: Call, order: int) -> bool:
            if call.method == RETURN:
                return any(self.returns[number].order == order for number, _ in call.asked)
            return call.method == CANCEL and any(number == order for number, _ in call.asked)

        return tuple(
            tuple(number for number, call in enumerate(self.calls) if ends(call, order)) for order in range(self.orders)
        )

    @cached_property
    def start(self) -> State:
        """The shop before anybody calls."""
        none = (None,) * len(self.returns)
        placed = dict(self.placed)
        numbers = range(self.orders)
        ledger = tuple(Entry(RESERVED, placed[number]) if number in placed else None for number in numbers)
        rows = tuple(Row(CONFIRMED, placed[number]) if number in placed else None for number in numbers)
        stock, movements = self.opening - sum(placed.values()), ("",) * len(self.deltas)
        return State(
            catalog=Catalog(stock, 0, True, ledger, none, movements),  # noqa: FBT003
            orders=Orders(rows, frozenset(), none),
            active=True,
            calls=tuple(call.times for call in self.calls),
            tasks=(),
            late=frozenset(),
            told=(Told(NEVER, 0, ""),) * self.orders,
            parts_told=("",) * len(self.returns),
            catalog_behind=None,
            orders_behind=None,
            losses=self.losses,
            remembered=stock,
            fault="",
        )
