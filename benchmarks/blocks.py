"""Rows that are measured in turns, so that what disturbs the machine disturbs all of them alike."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.figures import RatioSpec, ratio_values
from benchmarks.rounds import Round
from benchmarks.rows import Row

WARM_UP = "warm-up"
# More rounds that a block may run for those that do not count.
EXTRA_ROUNDS_MAX = 3


@dataclass(frozen=True)
class Block:
    """Rows, how many rounds of each have to count, and what is compared.

    Once `deadline_s` (of time.monotonic) has passed, `rounds_min` are enough.
    """

    name: str
    rows: Sequence[Row]
    rounds: int
    rounds_min: int
    ratios: Sequence[RatioSpec] = ()
    deadline_s: float = float("inf")

    @property
    def measurements(self) -> int:
        """How many measurements there are if all count: the first of each row is for warming up."""
        return len(self.rows) * (self.rounds + 1)


async def run_block(block: Block) -> AsyncIterator[Round]:
    """Measure all rows once a round, in an order that turns round each time, and yield each measurement.

    The first one of each row does not count: it warms up, and tells how many calls fit into a round.
    """
    for row in block.rows:
        yield replace(await row.measure(), block=block.name, number=0, fault=WARM_UP)
    rounds: list[Round] = []
    for number in range(1, block.rounds + EXTRA_ROUNDS_MAX + 1):
        for row in block.rows if number % 2 else reversed(block.rows):
            told = replace(await row.measure(), block=block.name, number=number)
            rounds.append(told)
            yield told
        if _has_enough(block, rounds):
            return


def _has_enough(block: Block, rounds: Sequence[Round]) -> bool:
    wanted = block.rounds if time.monotonic() < block.deadline_s else min(block.rounds, block.rounds_min)
    counted = [sum(told.counts and told.row == row.name for told in rounds) for row in block.rows]
    compared = [len(ratio_values(rounds, spec)) for spec in block.ratios]
    return min(counted + compared) >= wanted
