"""One id, one decision, also where it stands twice in one group."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

from service_runtime.errors import ServiceError

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


async def commit_distinct(
    entries: Sequence[Entry],
    *,
    identity: Callable[[Entry], Hashable],
    content: Callable[[Entry], object],
    reused: Callable[[Entry], ServiceError],
    commit: Callable[[Sequence[Entry]], Awaitable[Sequence[Answer | ServiceError]]],
) -> list[Answer | ServiceError]:
    """Commits entries so that no identity stands twice in one `commit`, and answers them in their order.

    An entry with the same content as the first of its identity shares that one's answer. One with other content is `reused` if the first
    was taken; if it was refused, it may itself have been the one that came too late, and the other one is committed after it.
    """
    if not entries:
        return []
    if len({identity(entry) for entry in entries}) == len(entries):
        return list(await commit(entries))
    answers: dict[int, Answer | ServiceError] = {}
    waiting = list(range(len(entries)))
    while waiting:
        firsts: dict[Hashable, int] = {}
        for place in waiting:
            firsts.setdefault(identity(entries[place]), place)
        committed = dict(zip(firsts, await commit([entries[place] for place in firsts.values()]), strict=True))
        later = []
        for place in waiting:
            entry = entries[place]
            answer = committed[identity(entry)]
            if content(entry) == content(entries[firsts[identity(entry)]]):
                answers[place] = answer
            elif isinstance(answer, ServiceError):
                later.append(place)
            else:
                answers[place] = reused(entry)
        waiting = later
    return [answers[place] for place in range(len(entries))]
