"""Recovery: it finds in the journal what somebody began and did not end. Leases may run out at any time, and so are not in the model."""

from tests.model.drives import RECOVERY, Next, commit_orders
from tests.model.returning import RETURNING
from tests.model.settling import INACTIVE
from tests.model.state import NO_RETURN, OPEN_STATUSES, PENDING, Row, Seen, State, Task, Work
from tests.model.world import World

CLAIMED = "claimed"


def claims(world: World, state: State) -> list[Next]:
    """`order_service.journal.CLAIM`. (`recovery.claimed`).

    Any row, at any time, by as many as there are sweepers. Where the world does not keep the two apart, the orders are read in the same
    step: had the row gone in between, whatever is open then has a row of its own that could have been claimed instead.
    """
    if sum(task.actor == RECOVERY for task in state.tasks) >= world.sweepers:
        return []
    ways: list[Next] = []
    for work in sorted(state.orders.journal):
        drive = tuple(Seen(number, CLAIMED) for number in work[1])
        claimed = commit_orders(state, state.orders)
        task = Task(RECOVERY, (), drive, claimed=(work,))
        ways += [("CLAIM", claimed, task)] if world.claims_apart else get(world, claimed, task)
    return ways


def get(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.repository.GET_DURABLE`: the orders of a claimed row, as they are now."""
    if world.rules.recovery_reads_durably:
        state = commit_orders(state, state.orders)
    rows = [(seen.number, state.orders.rows[seen.number]) for seen in task.drive]
    drive = tuple(_seen(world, state, number, row) for number, row in rows if row is not None)
    return [("GET" if world.claims_apart else "CLAIM and GET", state, task._replace(drive=drive))]


def _seen(world: World, state: State, number: int, row: Row) -> Seen:
    if row.open_return != NO_RETURN:
        return Seen(number, RETURNING, row.open_return)
    if row.status == PENDING and not state.active and not world.rules.recovery_asks_no_customer:
        return Seen(number, INACTIVE)
    return Seen(number, row.status)


def close(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.journal.CLOSE`: the row goes if none of its orders is open. (`recovery.settled`)."""
    gone = [work for work in task.claimed if not world.rules.closed_by_looking or not is_open(state, work)]
    if not gone:
        return [("CLOSE finds nothing that may go", state, None)]
    closed = state.orders._replace(journal=state.orders.journal.difference(gone))
    return [("CLOSE", commit_orders(state, closed), None)]


def is_open(state: State, work: Work) -> bool:
    """Whether a row of the journal still has something to drive."""
    rows = (state.orders.rows[number] for number in work[1])
    return any(row is not None and is_under_way(row) for row in rows)


def is_under_way(row: Row) -> bool:
    """Whether somebody has still to do something about an order."""
    return row.status in OPEN_STATUSES or row.open_return != NO_RETURN
