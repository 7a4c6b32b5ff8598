"""The catalog's steps on reservations and movements: what its statements do to its database, and what it answers."""

from tests.model.state import (
    DENIED,
    DISC_DELETED,
    NEVER,
    NOW,
    OUT_OF_STOCK,
    RELEASED,
    RESERVED,
    SEEN,
    Catalog,
    Entry,
    State,
    put,
)
from tests.model.world import World

# Answers to a reserve. Of the refusals there are two, by their reasons.
HELD, SHORT, OFF_SALE, GONE, REUSED = "held", "out of stock", "off sale", "released", "another payload"
# Nobody answered.
NO_ANSWER = "no answer"

Answered = tuple[State, str]


def commit(world: World, state: State, catalog: Catalog) -> State:
    """Commits a transaction; the standby then has it, and everything before it, so that this stock was left for sure."""
    told = state.told
    if catalog.stock < state.catalog.stock or world.losses:
        told = tuple(
            one._replace(least_left=catalog.stock) if one.first != NEVER and one.least_left > catalog.stock else one
            for one in told
        )
    remembered = state.remembered if world.rules.denies_by_fresh_knowledge else min(state.remembered, catalog.stock)
    return state._replace(catalog=catalog, catalog_behind=None, told=told, remembered=remembered)


def record(world: World, state: State, number: int, entry: Entry, stock: int) -> State:
    """Commits a decision together with the stock that it takes or gives back; it is a fault if the id was decided before."""
    before = state.catalog.ledger[number]
    after = commit(world, state, state.catalog._replace(stock=stock, ledger=put(state.catalog.ledger, number, entry)))
    if before is None or (before.state == RESERVED and entry.state in {RESERVED, RELEASED}) or before == entry:
        return after
    return after._replace(fault=f"reservation {number} was {before.state} and is {entry.state}")


def look(state: State, number: int) -> int:
    """What a statement that begins now will know of an id when it writes: see Seen.sight."""
    return state.catalog.stock if state.catalog.ledger[number] is None else SEEN


def reserve(
    world: World, state: State, number: int, quantity: int, sight: int = NOW, *, is_short: bool = False
) -> Answered:
    """`catalog_service.stock.reservations.RESERVE` and the function `reserve_stock`, then `catalog_service.stock.reservations.DECIDED`.

    A known id changes nothing and is answered from the ledger. If it became known after the statement's look, the primary key undoes the
    statement, and it is answered the same way; so both are one step.
    """
    catalog, rules = state.catalog, world.rules
    entry = catalog.ledger[number]
    if entry is None:
        return _decide(world, state, number, quantity, 0 if is_short else sight)
    if sight >= 0 and not rules.conflict_undoes_all and catalog.stock >= quantity:
        state = commit(world, state, catalog._replace(stock=catalog.stock - quantity))
    if not rules.ledger_first and catalog.stock < quantity:
        return state, SHORT
    return replay(world, state, entry, quantity)


def replay(world: World, state: State, entry: Entry, quantity: int) -> Answered:
    """`catalog_service.stock.reservations.DECIDED`: what was decided is answered by a statement that locks, and so writes."""
    if world.rules.catalog_replays_write:
        state = commit(world, state, state.catalog)
    if world.rules.fingerprint_in_catalog and entry.quantity not in {0, quantity}:
        return state, REUSED
    if entry.state == DENIED:
        return state, SHORT if entry.reason == OUT_OF_STOCK else OFF_SALE
    return state, HELD if entry.state == RESERVED else GONE


def _decide(world: World, state: State, number: int, quantity: int, sight: int) -> Answered:
    catalog, rules = state.catalog, world.rules
    known = catalog.stock if (rules.locked_then_read and rules.group_exact) or sight < 0 else sight
    if catalog.on_sale and (known >= quantity or not rules.stock_conditional):
        if not rules.stock_with_ledger:
            return commit(world, state, catalog._replace(stock=catalog.stock - quantity)), NO_ANSWER
        return record(world, state, number, Entry(RESERVED, quantity), catalog.stock - quantity), HELD
    reason = OUT_OF_STOCK if catalog.on_sale else DISC_DELETED
    if rules.refusals_recorded:
        state = record(world, state, number, Entry(DENIED, quantity, reason), catalog.stock)
    return state, SHORT if catalog.on_sale else OFF_SALE
