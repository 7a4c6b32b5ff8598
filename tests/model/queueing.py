"""Orders that are decided later: they wait in a line, and workers have them decided, those first that were committed first."""

from tests.model.drives import WORKER, Next, commit_orders
from tests.model.state import PENDING, Orders, Request, Row, Seen, State, Task, Work
from tests.model.world import World

# Groups in the line; the second one is what the order service does not do: its place is earlier than its commit.
QUEUED, QUEUED_EARLIER = "queued", "queued, with an earlier place"


def opened(world: World, orders: Orders, pending: tuple[int, ...]) -> list[Orders]:
    """`order_service.order_queue.ENQUEUE`, its part that follows the insert: the group's place in the line.

    The row that counts the places is locked until the commit, so that places are in the order of the commits, which the tuple has.
    """
    if not world.rules.queued_with_insert:
        return [orders]
    words = (QUEUED,) if world.rules.position_by_commit else (QUEUED, QUEUED_EARLIER)
    return [orders._replace(queue=(*orders.queue, (word, pending))) for word in words]


def looks(world: World, state: State) -> list[Next]:
    """`order_service.order_queue.HEAD`, and then `order_service.repository.GET_DURABLE`.

    Whoever holds the lease, or does no longer know that it does not: as many as there are workers, at any time. The two are one step: what
    leaves the line in between is decided, and is left out by the second one; what comes in between is for the next look.
    """
    orders = state.orders
    if not orders.queue or sum(task.actor == WORKER for task in state.tasks) >= world.workers:
        return []
    groups = tuple(sorted(orders.queue, key=lambda group: group[0] == QUEUED))
    numbers = [number for _, numbers in groups for number in numbers]
    if not world.rules.first_in_line_first:
        numbers.reverse()
    if world.rules.worker_reads_durably:
        state = commit_orders(state, orders)
    drive = tuple(Seen(number, PENDING) for number in numbers if is_waiting(orders.rows[number]))
    return [("HEAD and GET", state, Task(WORKER, (), drive, claimed=groups))]


def close(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.order_queue.CLOSE`: groups leave the line of which no order is PENDING."""
    gone = {group for group in task.claimed if not world.rules.queue_closed_by_looking or not _waits(state, group)}
    if not gone:
        return [("CLOSE finds nobody who may leave the line", state, None)]
    queue = tuple(group for group in state.orders.queue if group not in gone)
    return [("CLOSE of the line", commit_orders(state, state.orders._replace(queue=queue)), None)]


def is_waiting(row: Row | None) -> bool:
    """Whether an order waits for its turn."""
    return row is not None and row.queued and row.status == PENDING


def in_turn(before: State, after: State, number: int) -> State:
    """The state after the catalog was asked about an order; it is a fault if that decided it while one before it in the line waits."""
    is_decided = before.catalog.ledger[number] is None and after.catalog.ledger[number] is not None
    if not is_decided or not any(is_waiting(before.orders.rows[one]) for one in _undecided_before(before, number)):
        return after
    return after._replace(fault=f"order {number} is decided before one that was taken in before it")


def must_wait(state: State, request: Request) -> bool:
    """Whether a late request for copies belongs to one call with that for an order before it in the line, which is decided first."""
    waiting = [number for number in _undecided_before(state, request.number) if is_waiting(state.orders.rows[number])]
    return any(other.method == request.method and other.number in waiting for other in state.late)


def _undecided_before(state: State, number: int) -> list[int]:
    numbers = [one for _, group in state.orders.queue for one in group]
    ahead = numbers[: numbers.index(number)] if number in numbers else []
    return [one for one in ahead if state.catalog.ledger[one] is None]


def _waits(state: State, group: Work) -> bool:
    return any(row is not None and row.status == PENDING for row in (state.orders.rows[number] for number in group[1]))
