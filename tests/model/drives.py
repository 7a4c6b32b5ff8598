"""What all work of the order service has in common: it commits, and it goes on until every order that it drives has an answer."""

from collections.abc import Callable

from tests.model.state import (
    CANCELLED,
    CANCELLING,
    CONFIRMED,
    PENDING,
    REJECTED,
    Orders,
    Row,
    Seen,
    State,
    Task,
)
from tests.model.telling import ANSWERS, tell
from tests.model.world import World

# One way to go on: what is done, the state after it, and the task, unless it has ended.
Next = tuple[str, State, Task | None]
Step = Callable[[World, State, Task], list[Next]]

# Who has work of their own, and nobody to tell of it.
RECOVERY, WORKER = "recovery", "worker"
UNHEARD = frozenset({RECOVERY, WORKER})
# Kinds of rows in the journal: of orders that were placed together, and of a cancel. A return's row is named after the return.
PLACED, CANCELLED_BY = "placed", "cancel"
# Where an order may go from a status; REJECTED and CANCELLED are final.
WAYS = {
    PENDING: (CONFIRMED, REJECTED, CANCELLING),
    CONFIRMED: (CANCELLING,),
    CANCELLING: (CANCELLED,),
    REJECTED: (),
    CANCELLED: (),
}


def commit_orders(state: State, orders: Orders) -> State:
    """Commits a transaction; the standby then has it, and everything before it.

    It is a fault if an order goes a way that it must not go: somebody may have been told where it was.
    """
    fault = state.fault
    if orders.rows is not state.orders.rows:
        for before, after in zip(state.orders.rows, orders.rows, strict=True):
            if before is not None and before is not after:
                fault = fault or _bad_way(before, after)
    return state._replace(orders=orders, orders_behind=None, fault=fault)


def _bad_way(before: Row, after: Row | None) -> str:
    if after is None:
        return f"an order was {before.status}, and is gone"
    if after.quantity != before.quantity:
        return "an order's lines have changed"
    if after.status == before.status or after.status in WAYS[before.status]:
        return ""
    return f"an order was {before.status}, and is {after.status}"


def go_on(world: World, label: str, state: State, task: Task, drive: tuple[Seen, ...]) -> Next:
    """The task with what it knows now. At its end it tells its callers at once: to tell later would only ask less of the shop."""
    if task.actor in UNHEARD or any(seen.word not in ANSWERS for seen in drive):
        return label, state, task._replace(drive=drive)
    return label, tell(world, state, task, drive), None


def row_of(state: State, number: int) -> Row:
    """An order that is known to exist."""
    row = state.orders.rows[number]
    assert row is not None
    return row


def with_seen(task: Task, seen: Seen, now: Seen) -> tuple[Seen, ...]:
    """What a task drives, with one thing seen anew."""
    return tuple(now if one == seen else one for one in task.drive)
