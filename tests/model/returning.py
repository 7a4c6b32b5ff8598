"""The return of a part of an order, or of all that is left of it: written down, taken back by the catalog, and counted."""

from tests.model.drives import RECOVERY, Next, commit_orders, go_on, row_of, with_seen
from tests.model.giving_back import take_back
from tests.model.settling import AGAIN
from tests.model.state import (
    APPLIED,
    CANCELLING,
    CONFIRMED,
    NO_RETURN,
    OPEN,
    PENDING,
    REFUSED,
    Part,
    Request,
    Row,
    Seen,
    State,
    Task,
    Work,
    put,
)
from tests.model.telling import NOT_RETURNED, OTHER_RETURN, RETURNED, UNANSWERED
from tests.model.world import World

# What an order's return has come to; Seen.sight has the return's number.
RETURNING, TAKEN_BACK, KEPT = "returning", "taken back", "not taken back"


def begin(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.returning.OrderReturns.take_back`, one round of it: the order and the return are looked for.

    A return that is under way is ended first, also another one's; then all is looked at again.
    """
    [(number, asked)] = task.asked
    order, part = world.returns[number].order, state.orders.parts[number]
    row = state.orders.rows[order]
    if row is None:
        return []
    found = commit_orders(state, state.orders)
    if part is not None and part.state != OPEN:
        known = _known(world, number, part, asked)
        if known.word == RETURNED and row.status == CANCELLING:
            known = Seen(order, CANCELLING)
        return [go_on(world, "FIND", found, task, (known,))]
    if row.open_return != NO_RETURN and (row.open_return == number or world.rules.one_return_at_a_time):
        return [go_on(world, "FIND", found, task, (Seen(order, RETURNING, row.open_return),))]
    return _write_down(world, state, task, row)


def _known(world: World, number: int, part: Part, asked: int) -> Seen:
    if part.asked != asked and world.rules.return_fingerprint:
        return Seen(number, OTHER_RETURN)
    return Seen(number, RETURNED if part.state == APPLIED else NOT_RETURNED)


def _write_down(world: World, state: State, task: Task, row: Row) -> list[Next]:
    """`order_service.returns.BEGIN`: the return, and a row of its own in the journal. (`order.return_recorded`).

    It wants the order to be as it was found, or it changes nothing; so the look and it are one step. Only a CONFIRMED order gives copies
    back, and only as many as are left; a refusal changes nothing, and stays right without a record.
    """
    [(number, asked)], rules, orders = task.asked, world.rules, state.orders
    left = row.quantity - row.returned
    quantity = asked or left
    may_return = row.status == CONFIRMED or (row.status == PENDING and not rules.undecided_keeps_all)
    if not may_return or quantity == 0 or (quantity > left and rules.returned_conditional):
        return [("the return is refused", state, None)]
    order = world.returns[number].order
    work = row_of_return(number, order)
    begun = orders._replace(
        rows=put(orders.rows, order, row._replace(open_return=number)),
        journal=orders.journal | {work} if rules.return_journaled else orders.journal,
        parts=put(orders.parts, number, Part(OPEN, quantity, asked)),
    )
    return [go_on(world, "BEGIN", commit_orders(state, begun), task, (Seen(order, RETURNING, number),))]


def row_of_return(number: int, order: int) -> Work:
    """A return's row in the journal."""
    return f"return {number}", (order,)


def request_of(state: State, seen: Seen) -> Request:
    """What the catalog is asked about an order's return."""
    part = state.orders.parts[seen.sight]
    assert part is not None
    return Request("return", seen.sight, part.quantity)


def ask(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.return_client.ReturnClient.return_stock`: copies are taken back, now or before, or were not held.

    (`catalog.returned`, `order.stock_returned`).
    """
    [seen] = [seen for seen in task.drive if seen.word == RETURNING]
    request = request_of(state, seen)
    state, is_back = take_back(world, state, request.number, request.quantity)
    now = seen._replace(word=TAKEN_BACK if is_back else KEPT)
    return [go_on(world, "ReturnStock", state, task, with_seen(task, seen, now))]


def end(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.returns.END`: only the return that is under way is counted, and its row leaves the journal. (`order.returned`).

    Where nothing is left the order becomes CANCELLING, and keeps the row for that.
    """
    [seen] = [seen for seen in task.drive if seen.word in {TAKEN_BACK, KEPT}]
    orders, row, part = state.orders, row_of(state, seen.number), state.orders.parts[seen.sight]
    assert part is not None
    word = UNANSWERED if task.actor == RECOVERY else AGAIN
    if row.open_return == seen.sight or not world.rules.return_ended_once:
        returned = row.returned + (part.quantity if seen.word == TAKEN_BACK else 0)
        work = row_of_return(seen.sight, seen.number)
        is_over = returned == row.quantity and world.rules.last_part_cancels
        word = CONFIRMED if task.actor == RECOVERY else AGAIN
        if is_over:
            word, task = CANCELLING, task._replace(works=(*task.works, work))
        row = row._replace(status=CANCELLING if is_over else CONFIRMED, returned=returned, open_return=NO_RETURN)
        part = part._replace(state=APPLIED if seen.word == TAKEN_BACK else REFUSED)
        orders = orders._replace(
            rows=put(orders.rows, seen.number, row),
            journal=orders.journal if is_over else orders.journal - {work},
            parts=put(orders.parts, seen.sight, part),
        )
    drive = with_seen(task, seen, Seen(seen.number, word))
    return [go_on(world, "END", commit_orders(state, orders), task, drive)]
