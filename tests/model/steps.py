"""What the shop does by itself: work that is under way goes on, and recovery takes up what was left behind."""

from tests.model import cancelling, outside, placing, queueing, recovering, reserving, returning, settling
from tests.model.catalog import GONE, REUSED
from tests.model.drives import WORKER, Next, Step
from tests.model.state import CANCELLING, PENDING, RESERVED, Request, State, Task, Work
from tests.model.world import RETURN, World

Way = tuple[str, State]


def again(world: World, state: State, task: Task) -> list[Next]:
    """What a call did for another one's return is done, and it looks at its order again."""
    return returning.begin(world, state, task) if task.actor == RETURN else cancelling.begin(world, state, task)


# How work goes on: by the first of these words that it has for any of its orders.
STEPS: dict[str, Step] = {
    recovering.CLAIMED: recovering.get,
    placing.DRAFT: placing.draft,
    placing.DRAFT_ASKING: placing.ask,
    **dict.fromkeys(placing.FIRST_ROWS, placing.insert),
    PENDING: reserving.ask_for_copies,
    GONE: settling.mark_barred,
    REUSED: settling.mark_barred,
    **dict.fromkeys(settling.DECISIONS, settling.decide),
    returning.RETURNING: returning.ask,
    returning.TAKEN_BACK: returning.end,
    returning.KEPT: returning.end,
    cancelling.RELEASED_FIRST: cancelling.mark_late,
    CANCELLING: settling.give_back,
    settling.GIVEN_BACK: settling.finish,
    settling.AGAIN: again,
    outside.STOCK_READ: outside.set_stock,
}


def step_of(task: Task) -> Step:
    """What a task does next; recovery, or a worker, whose orders have their answers closes its rows."""
    words = {seen.word for seen in task.drive}
    close = queueing.close if task.actor == WORKER else recovering.close
    return next((step for word, step in STEPS.items() if word in words), close)


def own_ways(world: World, state: State) -> list[Way]:
    """Each next state that needs nobody from outside, and no luck."""
    ways: list[Way] = []
    for task, others in each_task(state):
        ways += ways_of(world, others, step_of(task)(world, others, task))
    ways += ways_of(world, state, recovering.claims(world, state))
    ways += ways_of(world, state, queueing.looks(world, state))
    return ways


def each_task(state: State) -> list[tuple[Task, State]]:
    """Each task that is not like another one, and the state without it."""
    tasks = state.tasks
    return [
        (task, state._replace(tasks=tasks[:place] + tasks[place + 1 :]))
        for place, task in enumerate(tasks)
        if not place or task != tasks[place - 1]
    ]


def ways_of(world: World, before: State, nexts: list[Next]) -> list[Way]:
    """Puts tasks back into their states; where commits can be lost, each commit may also be one of these."""
    ways: list[Way] = []
    for label, after, task in nexts:
        if world.losses and after.losses:
            ways += [(how + label, tidied(world, lost)) for how, lost in outside.without_standby(before, after)]
        ways.append((label, tidied(world, after, task)))
    return ways


def tidied(world: World, state: State, task: Task | None = None) -> State:
    """The state, with this task in it, in its one form: tasks in order, and without the names of rows that have gone.

    No such name comes twice. Where the world forgets, late requests that can change nothing any more are left out too.
    """
    rows, late = state.orders.journal.union(state.orders.queue), state.late
    tasks = state.tasks if task is None else (*state.tasks, task)
    if tasks:
        tasks = tuple(sorted(_named(one, rows) if one.works or one.claimed else one for one in tasks))
    if late and world.forgets:
        late = frozenset(request for request in late if not is_spent(state, request))
    return state._replace(tasks=tasks, late=late)


def _named(task: Task, rows: frozenset[Work]) -> Task:
    if rows.issuperset(task.works) and rows.issuperset(task.claimed):
        return task
    works, claimed = ([work for work in mine if work in rows] for mine in (task.works, task.claimed))
    return task._replace(works=tuple(works), claimed=tuple(claimed))


def is_spent(state: State, request: Request) -> bool:
    """Whether a late request can change nothing any more, because a decision is made once."""
    if request.method == "return":
        return state.catalog.parts[request.number] is not None
    entry = state.catalog.ledger[request.number]
    return entry is not None and (request.method != "release" or entry.state != RESERVED)
