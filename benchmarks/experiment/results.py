"""What was seen of each combination, and of the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.audit import Verdict
from benchmarks.experiment.plan import Cell


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """One load: what its clients saw, and what the databases hold of it.

    Of `calls`, so many were `answered`, whatever the answer, and so many were taken in as `orders`. `confirmed` and `refused` are orders
    at their end. `aborted` are those of them whose callers got an error and no decision; `pending` are those that were open when the load
    ended, as their callers were told. `settle_s` are the seconds from then to the end of the last order, None if that did not come in
    time. CPU time is counted until then.
    """

    calls: int
    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    orders: int
    confirmed: int
    refused: int
    aborted: int
    pending: int
    settle_s: float | None
    cpu_us_per_order: Mapping[str, float]

    @property
    def orders_per_s(self) -> float:
        """Orders that were taken in, and not aborted, in a second of the load."""
        return round((self.orders - self.aborted) / self.seconds, 1)

    @property
    def settled_per_s(self) -> float | None:
        """Orders in a second from the load's begin to the end of the last order."""
        if self.settle_s is None:
            return None
        return round(self.orders / (self.seconds + self.settle_s), 1)


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """One combination: the load with copies for all, the one that runs out of them, the audit after both, and what was wrong."""

    cell: Cell
    sale: LoadResult
    last_copies: LoadResult
    verdict: Verdict
    faults: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written to experiment.json: rates and latencies are the sale's, orders are counted over both loads."""
        sale, last = self.sale, self.last_copies
        return {
            **asdict(self.cell),
            "orders_per_s": sale.orders_per_s,
            "settled_per_s": sale.settled_per_s,
            "p50_ms": sale.p50_ms,
            "p99_ms": sale.p99_ms,
            "confirmed": sale.confirmed + last.confirmed,
            "refused": sale.refused + last.refused,
            "aborted": sale.aborted + last.aborted,
            "pending": sale.pending,
            "settle_s": sale.settle_s,
            "cpu_us_per_order": sale.cpu_us_per_order,
            "sale": asdict(sale),
            "last_copies": asdict(last) | {"orders_per_s": last.orders_per_s},
            "audit": asdict(self.verdict),
            "faults": list(self.faults),
        }


@dataclass
class ExperimentResults:
    """All combinations that ran, how many a quick run left out, the audits of whole shops at their end, and what went wrong."""

    cells: list[CellResult] = field(default_factory=list)
    left_out: int = 0
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def disagreements(self) -> int:
        """Discs and orders that were wrong or open: of each shop, the most that any of its audits found."""
        worst = {shop: verdict.disagreements for shop, verdict in self.verdicts.items()}
        for told in self.cells:
            shop = shop_name(told.cell)
            worst[shop] = max(worst.get(shop, 0), told.verdict.disagreements)
        return sum(worst.values())


def shop_name(cell: Cell) -> str:
    """Return the name of the shop that a combination is measured on."""
    return f"{cell.strategy}_{cell.mode}"
