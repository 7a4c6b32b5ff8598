"""CancelOrder, up to where the order is driven like every other."""

from tests.model.drives import Next, commit_orders, go_on, row_of
from tests.model.giving_back import release
from tests.model.returning import RETURNING
from tests.model.settling import GIVEN_BACK, finish, mark
from tests.model.state import CANCELLING, CONFIRMED, NO_RETURN, PENDING, Seen, State, Task, put
from tests.model.world import World

RELEASED_FIRST = "released before it was marked"


def begin(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.cancellation.OrderCancellation._cancel`: the order is looked for, and marked if it is there.

    A return that is under way comes first, and then the order is looked at again. What `order_service.repository.MARK_CANCELLING` wants to
    find is what the look before it found, or it changes nothing; so both are one step.
    """
    [(number, _)] = task.asked
    row = state.orders.rows[number]
    if row is None:
        return []
    if not world.rules.mark_before_release:
        return [("ReleaseStock", release(world, state, number), task._replace(drive=(Seen(number, RELEASED_FIRST),)))]
    if row.open_return != NO_RETURN and world.rules.cancel_waits_for_return:
        return [
            go_on(world, "FIND", commit_orders(state, state.orders), task, (Seen(number, RETURNING, row.open_return),))
        ]
    state, task, word = mark(world, state, task, number)
    return [go_on(world, "MARK_CANCELLING", state, task, (Seen(number, word),))]


def mark_late(world: World, state: State, task: Task) -> list[Next]:
    """What the order service does not do: it marks the order when its copies are back already."""
    [(number, _)] = task.asked
    row = row_of(state, number)
    if row.status in {PENDING, CONFIRMED}:
        rows = put(state.orders.rows, number, row._replace(status=CANCELLING))
        state = commit_orders(state, state.orders._replace(rows=rows))
    return finish(world, state, task._replace(drive=(Seen(number, GIVEN_BACK),)))
