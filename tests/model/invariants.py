"""What must be true at every moment, whoever is in the middle of what."""

from collections.abc import Iterator
from itertools import zip_longest

from tests.model.queueing import is_waiting
from tests.model.recovering import is_under_way
from tests.model.state import (
    APPLIED,
    CANCELLED,
    CANCELLING,
    CONFIRMED,
    DENIED,
    LATE,
    OPEN,
    OUT_OF_STOCK,
    REFUSED,
    REJECTED,
    RELEASED,
    RESERVED,
    Entry,
    Row,
    State,
    Told,
)
from tests.model.telling import STAYS
from tests.model.world import World


def violation(world: World, state: State) -> str | None:
    """What is wrong in this state, if anything is."""
    if state.fault:
        return state.fault
    found = next(_stock(world, state), None) or next(_orders(world, state), None)
    if found is None and world.returns:
        found = next(_returns(world, state), None)
    if found is None and is_quiet(state):
        found = next(_rest(state), None)
    return found


def _stock(world: World, state: State) -> Iterator[str]:
    catalog = state.catalog
    held = 0
    for entry in catalog.ledger:
        if entry is not None:
            held += entry.quantity - entry.returned if entry.state == RESERVED else 0
            if entry.returned > entry.quantity:
                yield "more came back than was sold"
    moved = sum(delta for number, delta in world.deltas.items() if catalog.movements[number] == APPLIED)
    for part, (_, is_written_off) in zip(catalog.parts, world.returns, strict=True):
        if is_written_off and part is not None and part.state == APPLIED:
            moved -= part.quantity
    if catalog.stock < 0:
        yield "stock is negative"
    if moved != catalog.moved:
        yield "the movements do not add up"
    if world.opening + moved != catalog.stock + held:
        yield f"stock is not conserved: {world.opening} + {moved} != {catalog.stock} left + {held} held"


def _orders(world: World, state: State) -> Iterator[str]:
    orders = state.orders
    journaled = {number for _, numbers in orders.journal for number in numbers}
    in_line = {number for _, numbers in orders.queue for number in numbers}
    for number, (row, entry, told) in enumerate(zip(orders.rows, state.catalog.ledger, state.told, strict=True)):
        yield from _agreement(row, entry)
        yield from _promises(row, entry, told)
        if row is None:
            continue
        if number not in journaled and is_under_way(row) and not (number in in_line and is_waiting(row)):
            yield f"order {number} is {row.status} and under way, and no row of the journal or the line has it"
        if row.status in {CANCELLING, CANCELLED} and not _was_ended(world, state, number, row):
            yield f"order {number} is {row.status}, and nobody asked for it"
    if sum(row is not None for row in orders.rows) > world.requests:
        yield "one request is two orders"


def _agreement(row: Row | None, entry: Entry | None) -> Iterator[str]:
    """An order and its ledger row; while the order is open, the ledger may be ahead of it."""
    state, quantity = (entry.state, entry.quantity) if entry is not None else ("unknown", 0)
    if row is None:
        if state == RESERVED:
            yield "copies are held for no order"
    elif row.status == CONFIRMED and (state, quantity) != (RESERVED, row.quantity):
        yield f"an order of {row.quantity} is CONFIRMED, and its reservation of {quantity} is {state}"
    elif row.status == REJECTED and state == RESERVED:
        yield "an order is REJECTED, and its reservation is RESERVED"
    elif row.status == CANCELLED and state not in {RELEASED, DENIED}:
        yield f"an order is CANCELLED, and its reservation is {state}"


def _promises(row: Row | None, entry: Entry | None, told: Told) -> Iterator[str]:
    """What the callers were told, and what they may rely on."""
    if told.answer and (row is None or row.status not in STAYS[told.answer]):
        yield f"a caller was told {told.answer}, and the order is {row.status if row else 'not there'}"
    if entry is not None and entry.reason == OUT_OF_STOCK and told.least_left >= entry.quantity:
        yield "sold out is said, and there were enough all the time"
    if row is not None and row.reason == OUT_OF_STOCK and told.least_left >= row.quantity:
        yield "an order is out of stock, and there were enough all the time"
    if row is not None and row.status == CONFIRMED and told.first == LATE:
        yield "an order begun after its customer was deactivated is CONFIRMED"


def _was_ended(world: World, state: State, number: int, row: Row) -> bool:
    """Whether somebody asked for an order's end, or used its id for other lines as well."""
    entry = state.catalog.ledger[number]
    if entry is not None and entry.state == DENIED and entry.quantity != row.quantity:
        return True
    return any(state.calls[call] < world.calls[call].times for call in world.enders[number])


def _returns(world: World, state: State) -> Iterator[str]:
    for number, (order, _) in enumerate(world.returns):
        part, made, told = state.orders.parts[number], state.catalog.parts[number], state.parts_told[number]
        if made is not None and (part is None or part.quantity != made.quantity or part.state == REFUSED):
            yield "copies came back for a return that is not written down like that"
        if part is not None and part.state == APPLIED and made is None:
            yield "a return is APPLIED, and no copies came back"
        if part is not None and part.state == REFUSED and _holds(state.catalog.ledger[order], part.quantity):
            yield "a return is refused for ever, and the order has enough"
        if told and (part is None or part.state != told):
            yield f"a caller was told that a return is {told}, and it is {part.state if part else 'not there'}"


def _holds(entry: Entry | None, quantity: int) -> bool:
    return entry is not None and entry.state == RESERVED and entry.returned + quantity <= entry.quantity


def _rest(state: State) -> Iterator[str]:
    """What is true when nobody does anything, and nothing is left to do."""
    for row, entry, part in zip_longest(state.orders.rows, state.catalog.ledger, state.orders.parts):
        if row is not None and row.returned != (entry.returned if entry is not None else 0):
            yield "an order's returns are not those of its reservation"
        if row is not None and row.status == CONFIRMED and row.returned == row.quantity:
            yield "an order of which everything came back is still CONFIRMED"
        if part is not None and part.state == OPEN:
            yield "a return is still open"


def is_quiet(state: State) -> bool:
    """Whether nobody does anything, and nothing is left to do: all orders are final then: open ones are in the journal or the line."""
    return not state.tasks and not state.orders.journal and not state.orders.queue
