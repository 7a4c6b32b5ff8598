"""Tells what was explored, and the way to what went wrong so that it can be followed step by step."""

from collections import Counter
from collections.abc import Iterator

from tests.model.explore import Explored
from tests.model.state import Catalog, Orders, State, Task


def story(explored: Explored) -> str:
    """One line for an exploration without a find; else the shortest way to it, with what changes at each step."""
    world = explored.world
    figures = f"{explored.states} states, {explored.transitions} transitions, at most {explored.depth} steps away"
    if explored.wrong is None:
        return f"{world.name}: nothing is wrong in {figures}"
    lines = [f"{world.name}: {explored.wrong}, after {len(explored.trace)} steps ({figures})"]
    before = world.start
    for number, (label, after) in enumerate(explored.trace, start=1):
        lines += [f"{number:3}. {label}", *(f"       {change}" for change in _changes(before, after))]
        before = after
    return "\n".join(lines)


def _changes(before: State, after: State) -> Iterator[str]:
    yield from _of_database("catalog", before.catalog, after.catalog)
    yield from _of_database("orders", before.orders, after.orders)
    old, new = Counter(before.tasks), Counter(after.tasks)
    yield from (f"ends: {_of_task(task)}" for task in (old - new).elements())
    yield from (f"goes on: {_of_task(task)}" for task in (new - old).elements())
    for name in ("active", "late", "told", "parts_told", "catalog_behind", "orders_behind", "fault"):
        was, is_now = getattr(before, name), getattr(after, name)
        if was != is_now:
            yield f"{name}: {is_now}"


def _of_database(name: str, before: Catalog | Orders, after: Catalog | Orders) -> Iterator[str]:
    for field, was, is_now in zip(after._fields, before, after, strict=True):
        if was != is_now:
            yield f"{name}.{field}: {_plain(was)} -> {_plain(is_now)}"


def _plain(value: object) -> str:
    if isinstance(value, frozenset):
        return str(sorted(value))
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return "(" + ", ".join(map(_plain, value)) + ")"
    return str(value)


def _of_task(task: Task) -> str:
    orders = ", ".join(f"{seen.number}: {seen.word}" for seen in task.drive)
    return f"{task.actor} [{orders}]"
