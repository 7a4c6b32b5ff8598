"""Rows take turns; what does not count is measured again, up to a limit."""

import time
from collections.abc import Sequence

from benchmarks.blocks import EXTRA_ROUNDS_MAX, WARM_UP, Block, run_block
from benchmarks.figures import RatioSpec
from benchmarks.rounds import Round
from tests.unit.benchmarks.measurements import a_round


class FakeRow:
    """Counts its measurements; those with the numbers in `bad` do not count."""

    def __init__(self, name: str, bad: Sequence[int] = ()) -> None:
        self.name = name
        self._bad = bad
        self._number = -1

    async def measure(self) -> Round:
        self._number += 1
        return a_round(self.name, fault="orders are missing" if self._number in self._bad else None)


async def run(rounds: int, *rows: FakeRow, rounds_min: int = 1, deadline_s: float = float("inf")) -> list[Round]:
    spec = RatioSpec("ratio", rows[0].name, rows[-1].name, "block")
    block = Block("block", rows, rounds, rounds_min, [spec], deadline_s)
    return [told async for told in run_block(block)]


async def test_rows_take_turns_in_alternating_order_after_a_warm_up_that_does_not_count() -> None:
    told = await run(3, FakeRow("a"), FakeRow("b"))
    assert [(one.row, one.number) for one in told] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
        ("b", 2),
        ("a", 2),
        ("a", 3),
        ("b", 3),
    ]
    assert [one.fault for one in told] == [WARM_UP] * 2 + [None] * 6
    assert {one.block for one in told} == {"block"}


async def test_a_round_that_does_not_count_is_kept_and_another_one_takes_its_place() -> None:
    told = await run(2, FakeRow("a", bad=[1]), FakeRow("b", bad=[2]))
    # Rounds 1 and 2 lack one of both, so that only rounds 3 and 4 compare them.
    assert max(one.number for one in told) == 4
    assert sum(one.fault == "orders are missing" for one in told) == 2


async def test_a_row_that_never_counts_ends_after_some_more_rounds() -> None:
    told = await run(2, FakeRow("a", bad=range(100)), FakeRow("b"))
    assert max(one.number for one in told) == 2 + EXTRA_ROUNDS_MAX
    assert not any(one.counts for one in told if one.row == "a")


async def test_past_its_deadline_a_block_is_content_with_the_least() -> None:
    told = await run(9, FakeRow("a"), FakeRow("b", bad=[1]), rounds_min=3, deadline_s=time.monotonic())
    assert max(one.number for one in told) == 4
