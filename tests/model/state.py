"""What is on disk in the two databases, what is in memory and under way, and what the callers know."""

from typing import NamedTuple, TypeVar

# Statuses of orders, and what a process knows of an order that it drives.
PENDING, CONFIRMED, REJECTED, CANCELLING, CANCELLED = "PENDING", "CONFIRMED", "REJECTED", "CANCELLING", "CANCELLED"
OPEN_STATUSES = (PENDING, CANCELLING)
# States of a reservation.
RESERVED, DENIED, RELEASED = "RESERVED", "DENIED", "RELEASED"
# Reasons of refusals.
OUT_OF_STOCK, DISC_DELETED, CUSTOMER_INACTIVE = "OUT_OF_STOCK", "DISC_DELETED", "CUSTOMER_INACTIVE"
# What becomes of returns and movements; a return is OPEN in the orders' database until the catalog has answered.
OPEN, APPLIED, REFUSED = "OPEN", "APPLIED", "REFUSED"
NO_RETURN = -1

# When an order's first call came: before or after the customer was deactivated.
NEVER, EARLY, LATE = "", "early", "late"

# What a statement knows of the ledger: as of its own moment, or of an earlier one, when the id was there already. Any other number is the
# stock at a moment when the id was not there yet.
NOW, SEEN = -1, -2

Draft = tuple[int, int]
Work = tuple[str, tuple[int, ...]]
Item = TypeVar("Item")


class Entry(NamedTuple):
    """A row of the catalog's `reservations`; the quantity stands for the fingerprint too, and is 0 in a tombstone."""

    state: str
    quantity: int
    reason: str = ""
    returned: int = 0


class Part(NamedTuple):
    """A return, in either database; `asked` stands for its fingerprint, and is 0 where all that is left was asked for."""

    state: str
    quantity: int
    asked: int


class Catalog(NamedTuple):
    """The catalog's database, with one disc in it."""

    stock: int
    moved: int
    on_sale: bool
    ledger: tuple[Entry | None, ...]
    parts: tuple[Part | None, ...]
    movements: tuple[str, ...]


class Row(NamedTuple):
    """A row of `orders`; the quantity stands for the fingerprint too."""

    status: str
    quantity: int
    reason: str = ""
    returned: int = 0
    open_return: int = NO_RETURN
    # Whether it was taken in to be decided later: while it is PENDING it waits in the line.
    queued: bool = False


class Orders(NamedTuple):
    """The orders' database: orders by number, the journal of open work, returns by number, and the line, a group after the other."""

    rows: tuple[Row | None, ...]
    journal: frozenset[Work]
    parts: tuple[Part | None, ...]
    queue: tuple[Work, ...] = ()


class Seen(NamedTuple):
    """What a process knows of an order, or of a return, that it drives: a status, the catalog's answer, or how far it has come itself."""

    number: int
    word: str
    sight: int = NOW


class Task(NamedTuple):
    """Work of an order service: for which call, what the call asks for, and how far each order has come.

    `works` are rows of the journal that it may take along with its last change of an order, `claimed` is recovery's.
    """

    actor: str
    asked: tuple[Draft, ...]
    drive: tuple[Seen, ...]
    works: tuple[Work, ...] = ()
    claimed: tuple[Work, ...] = ()


class Request(NamedTuple):
    """A call to the catalog that nobody waits for any more, and that may still arrive."""

    method: str
    number: int
    quantity: int
    sight: int = NOW


class Told(NamedTuple):
    """An order's callers: when the first one came, the least stock since then, and the last final answer that one of them got."""

    first: str
    least_left: int
    answer: str


class State(NamedTuple):
    """Everything there is at one moment."""

    catalog: Catalog
    orders: Orders
    active: bool
    # How often each call of the world may still begin.
    calls: tuple[int, ...]
    tasks: tuple[Task, ...]
    late: frozenset[Request]
    told: tuple[Told, ...]
    parts_told: tuple[str, ...]
    # What each database's standby has, where that is less than the database has.
    catalog_behind: Catalog | None
    orders_behind: Orders | None
    # How many more commits may stay without their standby.
    losses: int
    # The least stock there ever was, for a catalog that believes what it remembers.
    remembered: int
    # What must never happen, if it has happened.
    fault: str


def put(items: tuple[Item, ...], number: int, item: Item) -> tuple[Item, ...]:
    """The same items with another one in its place."""
    return (*items[:number], item, *items[number + 1 :])
