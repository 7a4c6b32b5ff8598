"""What happens to the shop from outside: the stock room, the customer, the disc, and a database that is replaced by its standby."""

from tests.model.catalog import commit
from tests.model.drives import Next
from tests.model.state import APPLIED, Seen, State, Task, put
from tests.model.stock_room import adjust
from tests.model.world import World

STOCK_READ = "stock read"


def restock(world: World, state: State, task: Task) -> list[Next]:
    """`catalog_service.stock.movements.MovementLedger.adjust`: a delivery or a loss, as often as it is called."""
    [(number, _)] = task.asked
    if not world.rules.moved_by_difference:
        return [("the stock is read", state, task._replace(drive=(Seen(number, STOCK_READ, state.catalog.stock),)))]
    return [("AdjustStock", adjust(world, state, number), None)]


def set_stock(world: World, state: State, task: Task) -> list[Next]:
    """What the catalog does not do: stock is set to what was read plus the difference."""
    [(number, _, read)], catalog = task.drive, state.catalog
    if catalog.movements[number]:
        return [("AdjustStock again", state, None)]
    delta = world.deltas[number]
    if read + delta < 0:
        return [("the movement is refused", state, None)]
    movements = put(catalog.movements, number, APPLIED)
    moved = catalog._replace(stock=read + delta, moved=catalog.moved + delta, movements=movements)
    return [("the stock is set", commit(world, state, moved), None)]


def deactivate(world: World, state: State, task: Task) -> list[Next]:
    """`customer_service.repository.CustomerRepository.edit`: they may not buy any more, and the caller knows."""
    return [("the customer is deactivated", state._replace(active=False), None)]


def take_off_sale(world: World, state: State, task: Task) -> list[Next]:
    """`catalog_service.repository.DELETE`: the disc's row stays, and is closed for new reservations."""
    return [("the disc is taken off sale", commit(world, state, state.catalog._replace(on_sale=False)), None)]


def failovers(state: State) -> list[tuple[str, State]]:
    """A database is replaced by its standby, which has everything that was acknowledged."""
    ways = []
    if state.orders_behind is not None:
        ways.append(("the orders' standby takes over", state._replace(orders=state.orders_behind, orders_behind=None)))
    if state.catalog_behind is not None:
        lost = state._replace(catalog=state.catalog_behind, catalog_behind=None)
        ways.append(("the catalog's standby takes over", lost))
    return ways


def without_standby(before: State, after: State) -> list[tuple[str, State]]:
    """The same commits, of which the standby hears nothing: the caller gets no answer, and others may see them all the same.

    So it is in PostgreSQL when the wait for the standby is cut short by a time limit, a broken connection or a restart.
    """
    dead = after._replace(tasks=before.tasks, told=before.told, parts_told=before.parts_told, losses=after.losses - 1)
    ways = []
    if after.orders != before.orders:
        behind = before.orders if before.orders_behind is None else before.orders_behind
        ways.append(("committed without its standby, no answer: ", dead._replace(orders_behind=behind)))
    if after.catalog != before.catalog:
        behind_catalog = before.catalog if before.catalog_behind is None else before.catalog_behind
        ways.append(("committed without its standby, no answer: ", dead._replace(catalog_behind=behind_catalog)))
    return ways
