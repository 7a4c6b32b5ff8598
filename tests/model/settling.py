"""Driving orders to their end once the catalog has answered: callers and recovery come this way alike."""

from tests.model.catalog import GONE, HELD, OFF_SALE, REUSED, SHORT, look
from tests.model.drives import CANCELLED_BY, PLACED, UNHEARD, Next, commit_orders, go_on, row_of, with_seen
from tests.model.giving_back import release
from tests.model.state import (
    CANCELLED,
    CANCELLING,
    CONFIRMED,
    CUSTOMER_INACTIVE,
    DISC_DELETED,
    NO_RETURN,
    NOW,
    OUT_OF_STOCK,
    PENDING,
    REJECTED,
    Row,
    Seen,
    State,
    Task,
    Work,
    put,
)
from tests.model.world import RETURN, World

# The catalog gave an order's copies back; an order has to be looked at again; what recovery would say if it asked for the customer.
GIVEN_BACK, AGAIN, INACTIVE = "given back", "again", "customer inactive"
DECISIONS = {
    HELD: (CONFIRMED, ""),
    SHORT: (REJECTED, OUT_OF_STOCK),
    OFF_SALE: (REJECTED, DISC_DELETED),
    INACTIVE: (REJECTED, CUSTOMER_INACTIVE),
}


def decide(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.repository.DECIDE`, and for an order that somebody else decided `order_service.repository.FIND`. (`order.decided`).

    Who comes too late changes nothing, and what they find then does not become PENDING again; so both are one step.
    """
    rules, orders = world.rules, state.orders
    is_forced = not rules.decide_conditional or (task.actor in UNHEARD and not rules.lease_only_saves_work)
    rows, drive, decided = list(orders.rows), [], set()
    for seen in task.drive:
        if seen.word not in DECISIONS:
            drive.append(seen)
            continue
        status, reason = DECISIONS[seen.word]
        row = rows[seen.number] or Row(PENDING, task.asked[0][1])
        if row.status == PENDING or is_forced:
            row = row._replace(status=status, reason=reason)
            rows[seen.number] = row
            decided.add(seen.number)
        drive.append(Seen(seen.number, row.status if rules.answer_is_row else status))
    wanted = all if rules.group_row_until_all_decided else any
    closed = {work for work in task.works if wanted(number in decided for number in work[1])}
    after = commit_orders(state, orders._replace(rows=tuple(rows), journal=orders.journal - closed))
    return [go_on(world, "DECIDE", after, task, tuple(drive))]


def mark(world: World, state: State, task: Task, number: int) -> tuple[State, Task, str]:
    """`order_service.repository.MARK_CANCELLING`, and where it changes nothing `order_service.repository.FIND`.

    A row of the cancel's own goes into the journal with it. (`order.marked_cancelling`).
    """
    orders, row = state.orders, row_of(state, number)
    may_be_marked = row.status in {PENDING, CONFIRMED} or not world.rules.mark_conditional
    if not may_be_marked or (row.open_return != NO_RETURN and world.rules.cancel_waits_for_return):
        return commit_orders(state, orders), task, row.status
    work: Work = (CANCELLED_BY, (number,))
    journal = orders.journal | {work} if world.rules.cancel_journaled else orders.journal
    rows = put(orders.rows, number, row._replace(status=CANCELLING))
    marked = commit_orders(state, orders._replace(rows=rows, journal=journal))
    return marked, task._replace(works=(*task.works, work)), CANCELLING


def mark_barred(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.processing.OrderProcessing._mark_barred`: the order's id gets no copies any more.

    They were given back, or other lines of its id were denied ahead of it.
    """
    seen = next(seen for seen in task.drive if seen.word in {GONE, REUSED})
    state, task, word = mark(world, state, task, seen.number)
    return [go_on(world, "MARK_CANCELLING", state, task, with_seen(task, seen, Seen(seen.number, word)))]


def give_back(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.catalog_client.CatalogClient.release_stock`. (`catalog.released`, `order.stock_released`)."""
    seen = next(seen for seen in task.drive if seen.word == CANCELLING)
    if world.split and seen.sight == NOW:
        looked = seen._replace(sight=look(state, seen.number))
        return [("the catalog begins to release", state, task._replace(drive=with_seen(task, seen, looked)))]
    if not world.rules.release_before_cancelled:
        return finish(world, state, task._replace(drive=with_seen(task, seen, Seen(seen.number, GIVEN_BACK))))
    state = release(world, state, seen.number, seen.sight)
    return [go_on(world, "ReleaseStock", state, task, with_seen(task, seen, Seen(seen.number, GIVEN_BACK)))]


def finish(world: World, state: State, task: Task) -> list[Next]:
    """`order_service.repository.FINISH_CANCEL`, and where it changes nothing `order_service.repository.FIND`. (`order.cancelled`).

    Who returns a part looks again then for what became of it.
    """
    seen = next(seen for seen in task.drive if seen.word == GIVEN_BACK)
    orders, row = state.orders, row_of(state, seen.number)
    rows, journal = orders.rows, orders.journal
    if row.status == CANCELLING:
        row = row._replace(status=CANCELLED)
        rows = put(rows, seen.number, row)
        journal = journal.difference(work for work in task.works if work[0] != PLACED and work[1] == (seen.number,))
    after = commit_orders(state, orders._replace(rows=rows, journal=journal))
    word = AGAIN if task.actor == RETURN else row.status
    return [go_on(world, "FINISH_CANCEL", after, task, with_seen(task, seen, Seen(seen.number, word)))]
