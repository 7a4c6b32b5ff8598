"""CreateOrder up to the insert: the customer, the sold-out way, and the orders written down."""

from tests.model.catalog import SHORT, look, reserve
from tests.model.drives import PLACED, Next, commit_orders, go_on
from tests.model.queueing import in_turn, is_waiting, opened
from tests.model.state import (
    CUSTOMER_INACTIVE,
    NOW,
    OPEN_STATUSES,
    OUT_OF_STOCK,
    PENDING,
    REJECTED,
    Request,
    Row,
    Seen,
    State,
    Task,
)
from tests.model.stock_room import deny
from tests.model.telling import OTHER_PAYLOAD, TAKEN_IN, asked_of
from tests.model.world import ENQUEUE, World

# Orders that are not written down yet: their customer may buy, or may not; the catalog is asked to deny them, and has not, or has.
DRAFT, DRAFT_INACTIVE, DRAFT_ASKING = "draft", "draft of an inactive customer", "draft, the catalog is asked"
DRAFT_SERVABLE, DRAFT_SHORT = "draft, not denied", "draft, denied"
FIRST_ROWS = {
    DRAFT: (PENDING, ""),
    DRAFT_SERVABLE: (PENDING, ""),
    DRAFT_INACTIVE: (REJECTED, CUSTOMER_INACTIVE),
    DRAFT_SHORT: (REJECTED, OUT_OF_STOCK),
}


def begin(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.placement.GroupPlacer._place`: the customer is asked for, where the world has customers. (`order.customer_known`)."""
    if not world.customers:
        return draft(world, state, _all(task, DRAFT))
    is_active = state.active or not world.rules.customer_asked_after_call
    known = _all(task, DRAFT if is_active else DRAFT_INACTIVE)
    return [("BatchGetCustomers", state, known), *find(world, state, task)]


def _all(task: Task, word: str) -> Task:
    return task._replace(drive=tuple(Seen(seen.number, word) for seen in task.drive))


def find(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.admission.Admission._existing` and `order_service.repository.FIND`: no answer about the customer.

    Where there is no order, the caller is told so, and nothing has happened.
    """
    if not world.rules.order_looked_up:
        if any(state.orders.rows[seen.number] is not None for seen in task.drive):
            state = state._replace(fault="an order that exists is said not to be taken in")
        return [("no customer, NOT_ACCEPTED", state, None)]
    rows = [(seen.number, state.orders.rows[seen.number]) for seen in task.drive]
    drive = tuple(met(world, task, number, row) for number, row in rows if row is not None)
    if not drive:
        return []
    return [go_on(world, "no customer, FIND", _touched(world, state), task, drive)]


def met(world: World, task: Task, number: int, row: Row) -> Seen:
    """An order that exists, as it stands; or other lines under its id. Who waits in the line, or was to be put there, is not driven on."""
    if row.quantity != asked_of(task, number)[0] and world.rules.fingerprint_in_orders:
        return Seen(number, OTHER_PAYLOAD)
    is_others = is_waiting(row) and world.rules.queued_left_to_workers
    is_left = is_others or (task.actor == ENQUEUE and row.status in OPEN_STATUSES)
    return Seen(number, TAKEN_IN if is_left else row.status)


def _touched(world: World, state: State) -> State:
    return commit_orders(state, state.orders) if world.rules.order_replays_write else state


def draft(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.placement.GroupPlacer._deny_sold_out`: what is probably sold out is asked about; the model may think so of any."""
    if not world.rules.pending_first:
        return _ask_first(world, state, task)
    if not world.sold_out_way or task.actor == ENQUEUE:
        return insert(world, state, task)
    return [*ask(world, state, _all(task, DRAFT_ASKING)), *insert(world, state, task)]


def ask(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.processing.OrderProcessing.deny_sold_out`. (`order.denied`).

    The catalog denies or lets pass. If it does not answer, the orders go the usual way, and it may still deny them later. It is not
    asked about those that `order_service.repository.EXISTING` finds; one that is taken in just then, in another mode, it may deny before
    its turn.
    """
    standing = [seen for seen in task.drive if state.orders.rows[seen.number] is not None]
    if standing and world.rules.denies_where_none_stands:
        return insert(world, state, _all(task, DRAFT_SERVABLE))
    if world.split and task.drive[0].sight == NOW:
        looked = tuple(Seen(seen.number, seen.word, look(state, seen.number)) for seen in task.drive)
        return [("the catalog begins to deny", state, task._replace(drive=looked))]
    late = {Request("deny", seen.number, asked_of(task, seen.number)[0], seen.sight) for seen in task.drive}
    silent = ("the catalog does not answer", state._replace(late=state.late | late), _all(task, DRAFT_SERVABLE))
    drive = []
    for number, _, sight in task.drive:
        after, answer = deny(world, state, number, asked_of(task, number)[0], sight)
        state = in_turn(state, after, number)
        drive.append(Seen(number, DRAFT_SHORT if answer == SHORT else DRAFT_SERVABLE))
    if not world.rules.refusal_written:
        drive = [seen._replace(word=REJECTED) if seen.word == DRAFT_SHORT else seen for seen in drive]
    return [go_on(world, "the catalog denies or lets pass", state, task, tuple(drive)), silent]


def insert(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.intake.INSERT`: orders and the journal's row in one statement; an order that exists wins. (`order.taken_in`).

    Large groups are copied in one transaction, of which nothing is left if one of them exists. Orders that are decided later come into the
    line instead, by `order_service.order_queue.ENQUEUE`, and their callers are told that.
    """
    rules, orders = world.rules, state.orders
    rows, drive, pending = list(orders.rows), [], []
    for seen in task.drive:
        row = rows[seen.number]
        if seen.word not in FIRST_ROWS:
            drive.append(seen)
        elif row is not None and rules.existing_wins:
            drive.append(met(world, task, seen.number, row))
        else:
            status, reason = FIRST_ROWS[seen.word]
            row = Row(
                status, asked_of(task, seen.number)[0], reason, queued=task.actor == ENQUEUE and status == PENDING
            )
            rows[seen.number] = row
            drive.append(Seen(seen.number, TAKEN_IN if row.queued else status))
            pending += [seen.number] if status == PENDING else []
    if tuple(rows) == orders.rows:
        return [go_on(world, "INSERT", _touched(world, state), task, tuple(drive)), *_unseen(world, state, task)]
    inserted = orders._replace(rows=tuple(rows))
    if pending and task.actor == ENQUEUE:
        ways = opened(world, inserted, tuple(pending))
        return [go_on(world, "ENQUEUE", commit_orders(state, after), task, tuple(drive)) for after in ways]
    if pending:
        work = (PLACED, tuple(pending))
        task = task._replace(works=(work,))
        if rules.journal_with_insert:
            inserted = inserted._replace(journal=orders.journal | {work})
    return [go_on(world, "INSERT", commit_orders(state, inserted), task, tuple(drive)), *_unseen(world, state, task)]


def _unseen(world: World, state: State, task: Task) -> list[Next]:
    """What the order service does not do: it skips a row that a call at the same time has just inserted, and cannot see it either."""
    if world.rules.conflict_answers_row or all(state.orders.rows[seen.number] is None for seen in task.drive):
        return []
    unseen = state._replace(
        fault="of two equal requests at once one is answered neither with the order nor with a refusal"
    )
    return [("INSERT sees neither row", unseen, None)]


def _ask_first(world: World, state: State, task: Task) -> list[Next]:
    """What the order service does not do: it asks for copies before there is an order."""
    drive = []
    for number, _, _ in task.drive:
        state, answer = reserve(world, state, number, asked_of(task, number)[0])
        drive.append(Seen(number, answer))
    return [go_on(world, "BatchReserveStock without an order", state, task, tuple(drive))]
