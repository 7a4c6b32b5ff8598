"""What the callers are told at the end of their calls, and what must then be true."""

from tests.model.state import (
    APPLIED,
    CANCELLED,
    CANCELLING,
    CONFIRMED,
    PENDING,
    REFUSED,
    REJECTED,
    Seen,
    State,
    Task,
    Told,
    put,
)
from tests.model.world import PLACES, World

# Answers that no status of an order stands for: the order is there, and is decided later; other lines under this id; it is settled later;
# what became of a return.
TAKEN_IN = "PENDING, decided later"
OTHER_PAYLOAD, UNANSWERED = "REQUEST_ID_REUSED", "ORDER_PENDING"
RETURNED, NOT_RETURNED, OTHER_RETURN = "returned", "not returned", "return's id reused"
# What an order may be by the time when its caller hears the answer, and ever after.
STAYS = {
    TAKEN_IN: {PENDING, CONFIRMED, REJECTED, CANCELLING, CANCELLED},
    CONFIRMED: {CONFIRMED, CANCELLING, CANCELLED},
    REJECTED: {REJECTED},
    CANCELLED: {CANCELLED},
}
# Of two answers about an order, the later one in this row promises more.
STRONGER = ("", TAKEN_IN, CONFIRMED, REJECTED, CANCELLED)
ANSWERS = frozenset(
    {TAKEN_IN, CONFIRMED, REJECTED, CANCELLED, OTHER_PAYLOAD, UNANSWERED, RETURNED, NOT_RETURNED, OTHER_RETURN}
)


def asked_of(task: Task, number: int) -> list[int]:
    """What a call asks for under one number, in its order: the first is what decides."""
    return [quantity for asked, quantity in task.asked if asked == number]


def tell(world: World, state: State, task: Task, drive: tuple[Seen, ...]) -> State:
    """Answers the callers of a task. What they are told must be true now; that it stays true is for `drives.commit_orders` to hold."""
    for seen in drive:
        if seen.word in STAYS:
            state = _tell_order(world, state, task, seen)
        elif seen.word == OTHER_PAYLOAD:
            state = _tell_of_other_payload(state, task, seen)
        elif seen.word in {RETURNED, NOT_RETURNED}:
            state = _tell_of_return(world, state, task, seen)
    return state


def _tell_order(world: World, state: State, task: Task, seen: Seen) -> State:
    row = state.orders.rows[seen.number]
    if row is None or row.status not in STAYS[seen.word]:
        return state._replace(
            fault=f"a caller is told {seen.word}, and the order is {row.status if row else 'not there'}"
        )
    if task.actor in PLACES:
        asked = asked_of(task, seen.number)
        # Where one id stands twice in a group, the second payload is not told the first one's order.
        if row.quantity != asked[0] or (row.quantity != asked[-1] and not world.rules.distinct_in_group):
            return state._replace(fault="a caller is answered an order of other lines")
    if not world.losses:
        return state
    # What can be lost must be remembered.
    told = state.told[seen.number]
    answer = max(told.answer, seen.word, key=STRONGER.index)
    return state._replace(told=put(state.told, seen.number, Told(told.first, told.least_left, answer)))


def _tell_of_other_payload(state: State, task: Task, seen: Seen) -> State:
    kept = (state.orders.rows[seen.number], state.catalog.ledger[seen.number])
    if any(known is not None and known.quantity != asked_of(task, seen.number)[0] for known in kept):
        return state
    return state._replace(fault="a caller is told of another payload, and there is none")


def _tell_of_return(world: World, state: State, task: Task, seen: Seen) -> State:
    part = state.orders.parts[seen.number]
    if part is None or part.asked != asked_of(task, seen.number)[0]:
        return state._replace(fault="a caller is answered a return of another quantity")
    answer = APPLIED if seen.word == RETURNED else REFUSED
    if part.state != answer:
        return state._replace(fault=f"a caller is told that a return is {answer}, and it is {part.state}")
    if not world.losses:
        return state
    return state._replace(parts_told=put(state.parts_told, seen.number, answer))
