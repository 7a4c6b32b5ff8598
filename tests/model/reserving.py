"""Asking the catalog for the copies of orders that are written down."""

from tests.model.catalog import NO_ANSWER, REUSED, SHORT, look, reserve
from tests.model.drives import WORKER, Next, commit_orders, go_on, row_of, with_seen
from tests.model.queueing import in_turn
from tests.model.state import NOW, PENDING, Request, Seen, State, Task, put
from tests.model.telling import UNANSWERED
from tests.model.world import World


def request_of(state: State, seen: Seen) -> Request:
    """What the catalog is asked about an order that is not decided."""
    return Request("reserve", seen.number, row_of(state, seen.number).quantity, seen.sight)


def ask_for_copies(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.catalog_client.CatalogClient.reserve_stock`. (`catalog.decided`, `order.stock_answered`).

    The catalog decides all orders of a group at once, or the first one first. No answer at all is a death; one order of several may stay
    without an answer; of a worker's orders, which the catalog decides one after the other, none that another one comes after.
    """
    pending = [seen for seen in task.drive if seen.word == PENDING]
    if any(state.orders.rows[seen.number] is None for seen in pending):
        return [("an order is gone", state._replace(fault="copies are asked for an order that is gone"), None)]
    if world.split and pending[0].sight == NOW:
        looked = tuple(
            seen._replace(sight=look(state, seen.number)) if seen in pending else seen for seen in task.drive
        )
        return [("the catalog begins to reserve", state, task._replace(drive=looked))]
    ways = [_decided(world, state, task, pending)]
    if len(pending) > 1:
        ways.append(_decided(world, state, task, pending[:1]))
    if len(task.drive) > 1 and (task.actor != WORKER or len(pending) == 1):
        ways.append(_undecided(world, state, task, pending[0], UNANSWERED))
    if not world.rules.pending_never_dropped:
        ways.append(_dropped(world, state, task, pending[0]))
    if not world.rules.never_gives_up:
        ways.append(_undecided(world, state, task, pending[0], SHORT))
    return ways


def _decided(world: World, state: State, task: Task, asked: list[Seen]) -> Next:
    answers = {}
    asked_for = sum(row_of(state, seen.number).quantity for seen in asked)
    is_short = not world.rules.group_exact and asked_for > state.catalog.stock
    for seen in asked:
        quantity = row_of(state, seen.number).quantity
        after, answers[seen.number] = reserve(world, state, seen.number, quantity, seen.sight, is_short=is_short)
        state = in_turn(state, after, seen.number)
    drive = tuple(
        Seen(seen.number, _word(world, answers[seen.number])) if seen in asked else seen for seen in task.drive
    )
    return go_on(world, "BatchReserveStock", state, task, drive)


def _word(world: World, answer: str) -> str:
    if answer == NO_ANSWER or (answer == REUSED and not world.rules.other_payload_ends_order):
        return UNANSWERED
    return answer


def _undecided(world: World, state: State, task: Task, silent: Seen, word: str) -> Next:
    late = state.late | {request_of(state, silent)}
    drive = with_seen(task, silent, Seen(silent.number, word))
    return go_on(world, "BatchReserveStock leaves one out", state._replace(late=late), task, drive)


def _dropped(world: World, state: State, task: Task, late: Seen) -> Next:
    """What the order service does not do: it takes an order back that it had no time for, and says so."""
    orders = state.orders
    journal = frozenset(work for work in orders.journal if late.number not in work[1])
    after = commit_orders(state, orders._replace(rows=put(orders.rows, late.number, None), journal=journal))
    return "the order is dropped, NOT_ACCEPTED", after, None
