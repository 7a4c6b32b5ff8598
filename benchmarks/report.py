"""What is told of a run: its figures, and all raw rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.figures import Spread, counted_by_row, cpu_medians, median_rate, ratios
from benchmarks.results import Results

# Of rows with several numbers of callers, the quickest, of which the ratio is made, also has a name without that number.
BEST = {"batch_100_vs_pgbench": "batch_100", "batch_1000_vs_pgbench": "batch_1000", "stream_vs_unary": "stream"}


@dataclass(frozen=True)
class Report:
    """The figures of a run. `made` says how, when and on what."""

    quick: bool
    made: Mapping[str, object]
    results: Results

    @property
    def spreads(self) -> dict[str, Spread | None]:
        """Every ratio: the median over its rounds, and between what it lay."""
        return ratios(self.results.rounds, self.results.ratios)

    @property
    def disagreements(self) -> int:
        """Discs and orders that any shop's audit found wrong or open."""
        return sum(verdict.disagreements for verdict in self.results.verdicts.values())

    @property
    def faults(self) -> list[str]:
        """Why the run is not to be believed."""
        counted = counted_by_row(self.results.rounds)
        rows = [row for row in dict.fromkeys(told.row for told in self.results.rounds) if row not in counted]
        missing = [name for name, spread in self.spreads.items() if spread is None]
        audits = [fault for verdict in self.results.verdicts.values() for fault in verdict.faults]
        return [*(f"no round of {name} counts" for name in (*rows, *missing)), *audits]

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is written to bench.json."""
        rows = counted_by_row(self.results.rounds)
        for spec in self.results.ratios:
            if spec.name in BEST and spec.over in rows:
                rows[BEST[spec.name]] = rows[spec.over]
        spreads = self.spreads
        return {
            "quick": self.quick,
            "made": self.made,
            "ratios": {name: _rounded(spread.median) if spread else None for name, spread in spreads.items()},
            "ratio_spreads": {name: _spread(spread) for name, spread in spreads.items()},
            "orders_per_s": {row: round(median_rate(told), 1) for row, told in rows.items()},
            "orders_per_s_spreads": {
                row: _spread(Spread.of([one.orders_per_s for one in told])) for row, told in rows.items()
            },
            "p50_ms": {row: round(median(one.p50_ms for one in told), 2) for row, told in rows.items()},
            "p99_ms": {row: round(median(one.p99_ms for one in told), 2) for row, told in rows.items()},
            "cpu_us_per_order": {row: cpu_medians(told) for row, told in rows.items()},
            "rss_mb": dict(self.results.resident_mb),
            "audit": {
                "disagreements": self.disagreements,
                "shops": {shop: asdict(verdict) for shop, verdict in self.results.verdicts.items()},
            },
            "rounds": [asdict(told) | {"orders_per_s": round(told.orders_per_s, 1)} for told in self.results.rounds],
        }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {"low": _rounded(spread.low), "high": _rounded(spread.high), "rounds": spread.rounds}


def _rounded(value: float) -> float:
    return round(value, 3)


def table(report: Report) -> Sequence[tuple[str, str, str]]:
    """Return name, median and spread of each ratio, as people read them."""
    return [
        (name, f"{spread.median:.2f}", f"{spread.low:.2f} to {spread.high:.2f} in {spread.rounds} rounds")
        if spread
        else (name, "-", "no round counts")
        for name, spread in report.spreads.items()
    ]
