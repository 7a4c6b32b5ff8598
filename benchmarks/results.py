"""All that was measured, round by round."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from benchmarks.audit import Verdict
from benchmarks.blocks import WARM_UP, Block, run_block
from benchmarks.figures import RatioSpec
from benchmarks.progress import Progress
from benchmarks.rounds import Round


@dataclass
class Results:
    """Raw rounds, what is compared in them, what the audits said, and what is told of the run besides."""

    rounds: list[Round] = field(default_factory=list)
    ratios: list[RatioSpec] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    resident_mb: Mapping[str, float] = field(default_factory=dict)
    ungrouped_pool_size: int = 0

    async def measure(self, block: Block, progress: Progress) -> list[Round]:
        """Run a block, show and keep its rounds, and return them."""
        self.ratios.extend(block.ratios)
        told = []
        with progress.block(block.name, block.measurements) as show:
            async for measurement in run_block(block):
                show(describe(measurement))
                told.append(measurement)
        self.rounds.extend(told)
        return told

    def judge(self, shop: str, verdict: Verdict) -> None:
        """Note what a shop's audit said; if it does not agree, none of its rounds counts."""
        self.verdicts[shop] = verdict
        if verdict.disagreements:
            self.rounds = [
                replace(told, fault=told.fault or "the audit disagrees") if told.shop == shop else told
                for told in self.rounds
            ]


def describe(told: Round) -> str:
    """Tell a round in a line."""
    fault = "" if told.fault in {None, WARM_UP} else f"  DOES NOT COUNT: {told.fault}"
    return f"{told.row:<20} {told.orders_per_s:9,.0f}/s  p50 {told.p50_ms:.1f} ms  p99 {told.p99_ms:.1f} ms{fault}"
