"""Figures from raw rounds: medians, of ratios round by round, with their spread."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.rounds import Round


@dataclass(frozen=True)
class RatioSpec:
    """How many times the orders of row `under` the row `over` reaches in a second, both in the same round of one block."""

    name: str
    over: str
    under: str
    block: str


@dataclass(frozen=True)
class Spread:
    """A median, and between what its values lay."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """Describe values; None of none."""
        if not values:
            return None
        return cls(median(values), min(values), max(values), len(values))


def ratio_values(rounds: Iterable[Round], spec: RatioSpec) -> list[float]:
    """Return the ratio of each round in which both rows count."""
    by_round: dict[int, dict[str, float]] = {}
    for told in rounds:
        if told.block == spec.block and told.counts:
            by_round.setdefault(told.number, {})[told.row] = told.orders_per_s
    return [
        rates[spec.over] / rates[spec.under]
        for rates in by_round.values()
        if rates.get(spec.over) and rates.get(spec.under)
    ]


def ratios(rounds: Sequence[Round], specs: Iterable[RatioSpec]) -> dict[str, Spread | None]:
    """Return each ratio; None where no round of both rows counts."""
    return {spec.name: Spread.of(ratio_values(rounds, spec)) for spec in specs}


def counted_by_row(rounds: Iterable[Round]) -> dict[str, list[Round]]:
    """Return the rounds that count, by row, over all blocks."""
    found: dict[str, list[Round]] = {}
    for told in rounds:
        if told.counts:
            found.setdefault(told.row, []).append(told)
    return found


def cpu_medians(rounds: Sequence[Round]) -> Mapping[str, float]:
    """Return the CPU microseconds of an order by process: the figure that other programs on the machine disturb least."""
    names = dict.fromkeys(name for told in rounds for name in told.cpu_us_per_order)
    return {name: round(median(told.cpu_us_per_order.get(name, 0.0) for told in rounds), 1) for name in names}


def median_rate(rounds: Sequence[Round]) -> float:
    """Return the median of orders a second; 0 of no rounds."""
    return median(told.orders_per_s for told in rounds) if rounds else 0.0
