"""Group commit, switched off: the baseline that shows what it gains."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from service_runtime import group_commit
from service_runtime.errors import ServiceError
from service_runtime.group_commit import GroupCommit, GroupLimits
from service_runtime.metrics import GroupStats

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")

# Nobody waits for anybody: what is under way is bounded by the callers, and its statements by the pool of connections.
IN_FLIGHT_MAX = 1_000


class Ungrouped(GroupCommit[Entry, Answer]):
    """Commits each entry by itself and at once, also beside others that share its keys."""

    def __init__(
        self,
        *,
        commit: Callable[[Sequence[Entry]], Awaitable[Sequence[Answer | ServiceError]]],
        keys: Callable[[Entry], Iterable[Hashable]],
        limits: GroupLimits,
        stats: GroupStats | None = None,
    ) -> None:
        del keys
        super().__init__(
            commit=commit,
            keys=lambda _: (),
            limits=replace(limits, group_size_max=1, in_flight_max=IN_FLIGHT_MAX),
            stats=stats,
        )


def install() -> None:
    """Take the place of group commit in every module that is imported from now on."""
    group_commit.GroupCommit = Ungrouped  # type: ignore[misc]  # The service must not know of it.
