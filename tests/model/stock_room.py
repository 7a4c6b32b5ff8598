"""The catalog's other steps: a denial without the lock, and movements that no order makes."""

from tests.model.catalog import SHORT, Answered, commit, record
from tests.model.state import APPLIED, DENIED, NOW, OUT_OF_STOCK, REFUSED, Entry, State, put
from tests.model.world import World

# The answer to whether an order could be served, if it could.
SERVABLE = "can be served"


def deny(world: World, state: State, number: int, quantity: int, sight: int = NOW) -> Answered:
    """`catalog_service.stock.denials.DENY`. (`catalog.denied`).

    A plain read that begins after the call, and a DENIED row if too few were left then and the id is unseen. An id that the ledger knows
    is not denied here, and goes the usual way.
    """
    rules, catalog = world.rules, state.catalog
    entry = catalog.ledger[number]
    if entry is not None and rules.denies_unseen_only:
        return state, SERVABLE
    left = sight if sight >= 0 else catalog.stock
    if not rules.denies_by_fresh_knowledge:
        left = min(left, state.remembered)
    if not catalog.on_sale or left >= quantity:
        return state, SERVABLE
    if rules.denial_recorded:
        state = record(world, state, number, Entry(DENIED, quantity, OUT_OF_STOCK), catalog.stock)
    return state, SHORT


def adjust(world: World, state: State, number: int) -> State:
    """`catalog_service.stock.movements.ADJUST`, and for a known id `catalog_service.stock.movements.DECIDED`."""
    catalog, delta = state.catalog, world.deltas[number]
    if catalog.movements[number] and world.rules.movement_once:
        return commit(world, state, catalog)
    if catalog.stock + delta < 0:
        return commit(world, state, catalog._replace(movements=put(catalog.movements, number, REFUSED)))
    moved = catalog.moved if catalog.movements[number] else catalog.moved + delta
    movements = put(catalog.movements, number, APPLIED)
    return commit(world, state, catalog._replace(stock=catalog.stock + delta, moved=moved, movements=movements))
