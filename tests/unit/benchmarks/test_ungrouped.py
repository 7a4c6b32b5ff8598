"""The baseline without group commit."""

import asyncio
from collections.abc import Sequence

from benchmarks.ungrouped import Ungrouped
from service_runtime.deadline import Deadline
from service_runtime.group_commit import GroupLimits


async def test_entries_of_one_key_go_one_by_one_and_all_at_once() -> None:
    everybody = asyncio.Barrier(20)
    sizes = []

    async def commit(group: Sequence[int]) -> list[int]:
        sizes.append(len(group))
        await everybody.wait()
        return [entry * 2 for entry in group]

    limits = GroupLimits(group_size_max=500, waiting_max=100, in_flight_max=1, drain_timeout_s=1.0)
    async with Ungrouped(commit=commit, keys=lambda _: ["the same"], limits=limits) as lane:
        answers = await lane.outcomes(list(range(20)), Deadline.after(10.0))
    assert answers == [entry * 2 for entry in range(20)]
    assert sizes == [1] * 20
