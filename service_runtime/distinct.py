"""One id, one decision, also where it stands twice in one group."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


async def commit_distinct(
    entries: Sequence[Entry],
    *,
    identity: Callable[[Entry], Hashable],
    content: Callable[[Entry], object],
    commit: Callable[[Sequence[Entry]], Awaitable[Sequence[Answer]]],
) -> list[Answer]:
    """Commits entries so that no identity stands twice in one `commit`, and answers them in their order.

    An entry with the same content as the first of its identity shares that one's answer. One with other content is committed after it,
    and so meets what is recorded by then: the first of a group may itself be the one that comes too late.
    """
    answers: dict[int, Answer] = {}
    waiting = list(range(len(entries)))
    while waiting:
        firsts: dict[Hashable, int] = {}
        for place in waiting:
            firsts.setdefault(identity(entries[place]), place)
        committed = dict(zip(firsts, await commit([entries[place] for place in firsts.values()]), strict=True))
        later = []
        for place in waiting:
            entry_id = identity(entries[place])
            if content(entries[place]) == content(entries[firsts[entry_id]]):
                answers[place] = committed[entry_id]
            else:
                later.append(place)
        waiting = later
    return [answers[place] for place in range(len(entries))]
