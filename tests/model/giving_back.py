"""The catalog's steps that give copies back: the release of a reservation, and the return of a part of it."""

from tests.model.catalog import commit, record, replay
from tests.model.state import (
    APPLIED,
    NOW,
    RELEASED,
    RESERVED,
    Entry,
    Part,
    State,
    put,
)
from tests.model.world import World


def release(world: World, state: State, number: int, sight: int = NOW) -> State:
    """`catalog_service.stock.reservations.TOMBSTONE`, and if the id was there `catalog_service.stock.reservations.GIVE_BACK`.

    The first one changes nothing if the id was there, so that the two are one step.
    """
    rules, catalog = world.rules, state.catalog
    entry = catalog.ledger[number]
    if entry is None:
        return record(world, state, number, Entry(RELEASED, 0), catalog.stock) if rules.tombstone else state
    if sight >= 0 and not rules.release_in_two_statements:
        return state
    if entry.state != RESERVED and rules.released_once:
        return replay(world, state, entry, 0)[0]
    back = entry.quantity - (entry.returned if rules.release_net_of_returns else 0)
    if not catalog.on_sale and not rules.off_sale_takes_back:
        back = 0
    return record(world, state, number, entry._replace(state=RELEASED), catalog.stock + back)


def take_back(world: World, state: State, number: int, quantity: int) -> tuple[State, bool]:
    """`catalog_service.stock.returns.RETURN`, and for a known return `catalog_service.stock.returns.DECIDED`.

    The disc is locked first, so that all is one step. Copies come back onto the shelf, or come back and leave at once by a movement.
    What the reservation does not hold is refused, and no refusal is recorded.
    """
    rules, catalog = world.rules, state.catalog
    if catalog.parts[number] is not None and rules.return_once:
        return commit(world, state, catalog), True
    order, is_written_off = world.returns[number]
    entry = catalog.ledger[order]
    if entry is None or entry.state != RESERVED:
        return state, False
    if entry.returned + quantity > entry.quantity and rules.returned_conditional:
        return state, False
    ledger = put(catalog.ledger, order, entry._replace(returned=entry.returned + quantity))
    parts = put(catalog.parts, number, Part(APPLIED, quantity, quantity))
    if is_written_off and rules.written_off_at_once:
        catalog = catalog._replace(ledger=ledger, parts=parts, moved=catalog.moved - quantity)
    else:
        catalog = catalog._replace(ledger=ledger, parts=parts, stock=catalog.stock + quantity)
    return commit(world, state, catalog), True
