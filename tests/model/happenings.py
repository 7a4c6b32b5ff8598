"""What happens to the shop: callers call, processes die, lost requests arrive, and databases are replaced by their standbys."""

from tests.model import cancelling, outside, placing, reserving, returning
from tests.model.catalog import reserve
from tests.model.drives import Step
from tests.model.giving_back import release, take_back
from tests.model.queueing import in_turn, must_wait
from tests.model.state import (
    CANCELLING,
    EARLY,
    LATE,
    NEVER,
    PENDING,
    Draft,
    Request,
    Seen,
    State,
    Task,
    Told,
    put,
)
from tests.model.steps import Way, each_task, tidied, ways_of
from tests.model.stock_room import deny
from tests.model.telling import asked_of
from tests.model.world import CANCEL, CREATE, DEACTIVATE, ENQUEUE, PLACES, RESTOCK, RETURN, TAKE_OFF_SALE, World

# How a call begins. It comes in with its first statement: to come in earlier would only ask less of the shop.
BEGINS: dict[str, Step] = {
    CREATE: placing.begin,
    ENQUEUE: placing.begin,
    CANCEL: cancelling.begin,
    RETURN: returning.begin,
    RESTOCK: outside.restock,
    DEACTIVATE: outside.deactivate,
    TAKE_OFF_SALE: outside.take_off_sale,
}


def ways_from_outside(world: World, state: State) -> list[Way]:
    """Each next state that somebody or something outside brings about."""
    ways: list[Way] = [("dies", _dead(world, others, task)) for task, others in each_task(state)]
    for request in sorted(state.late):
        ways += _arrived(world, state._replace(late=state.late - {request}), request)
    for number, times in enumerate(state.calls):
        if times:
            ways += _called(world, state, number)
    ways += outside.failovers(state)
    return ways


def _called(world: World, state: State, number: int) -> list[Way]:
    call = world.calls[number]
    state = state._replace(calls=put(state.calls, number, state.calls[number] - 1))
    asked = call.asked
    if call.method in PLACES:
        if not world.rules.id_from_request:
            # Each attempt finds an id that nobody had before.
            asked = tuple((world.requests + sum(state.calls), quantity) for _, quantity in asked)
        state = _begun(world, state, asked)
    drive = tuple(Seen(order, placing.DRAFT) for order in dict(asked))
    return ways_of(world, state, BEGINS[call.method](world, state, Task(call.method, asked, drive)))


def _begun(world: World, state: State, asked: tuple[Draft, ...]) -> State:
    told = state.told
    # As much as is left for sure: of what the standby has not heard, nobody knows whether it will have been.
    known = state.catalog_behind or state.catalog
    for order, _ in asked:
        if told[order].first == NEVER:
            least_left = min(known.stock, world.largest[order]) if known.on_sale else 0
            told = put(told, order, Told(EARLY if state.active else LATE, least_left, ""))
    return state._replace(told=told)


def _dead(world: World, others: State, task: Task) -> State:
    """A process dies, or gives up waiting for the catalog, which may get the request all the same."""
    return tidied(world, others._replace(late=others.late.union(_on_the_way(others, task))))


def _on_the_way(state: State, task: Task) -> list[Request]:
    requests = []
    for seen in task.drive:
        if seen.word == PENDING and state.orders.rows[seen.number] is not None:
            requests.append(reserving.request_of(state, seen))
        elif seen.word == CANCELLING:
            requests.append(Request("release", seen.number, 0, seen.sight))
        elif seen.word == placing.DRAFT_ASKING:
            requests.append(Request("deny", seen.number, asked_of(task, seen.number)[0], seen.sight))
        elif seen.word == returning.RETURNING:
            requests.append(returning.request_of(state, seen))
    return requests


def _arrived(world: World, state: State, request: Request) -> list[Way]:
    """The catalog does what it is asked, and there is nobody to tell."""
    method, number, quantity, sight = request
    if method == "reserve":
        if must_wait(state, request):
            return []
        after, _ = reserve(world, state, number, quantity, sight)
        after = in_turn(state, after, number)
    elif method == "deny":
        after, _ = deny(world, state, number, quantity, sight)
    elif method == "return":
        after, _ = take_back(world, state, number, quantity)
    else:
        after = release(world, state, number, sight)
    return ways_of(world, state, [(f"a late {method} arrives", after, None)])
