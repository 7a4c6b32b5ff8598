"""One row of the benchmark, measured once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.load import Load

US_PER_S = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was measured. `shop` is whose audit must agree, "" for a row without one; `fault` says why the round does not count."""

    row: str
    shop: str
    clients: int
    orders_per_call: int
    orders: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_order: Mapping[str, float]
    fault: str | None
    block: str = ""
    number: int = 0

    @property
    def orders_per_s(self) -> float:
        """Orders answered in a second."""
        return self.orders / self.seconds

    @property
    def counts(self) -> bool:
        """Whether figures may be made of it."""
        return self.fault is None


def measured(
    row: str,
    load: Load,
    *,
    clients: int,
    cpu_s: tuple[Mapping[str, float], Mapping[str, float]],
    fault: str | None,
    shop: str = "",
    orders_per_call: int = 1,
) -> Round:
    """Make a round of what the clients saw; `cpu_s` are a CpuMeter's readings before and after."""
    orders = load.answered * orders_per_call
    return Round(
        row=row,
        shop=shop,
        clients=clients,
        orders_per_call=orders_per_call,
        orders=orders,
        seconds=load.seconds,
        p50_ms=nearest_rank(load.latencies_ms, 0.5),
        p99_ms=nearest_rank(load.latencies_ms, 0.99),
        cpu_us_per_order=cpu_us_per_order(cpu_s, orders),
        fault=fault,
    )


def cpu_us_per_order(cpu_s: tuple[Mapping[str, float], Mapping[str, float]], orders: int) -> dict[str, float]:
    """Return the CPU microseconds of an order by process; `cpu_s` are a CpuMeter's readings before and after."""
    before, after = cpu_s
    return {name: round((after[name] - before[name]) / max(orders, 1) * US_PER_S, 1) for name in sorted(after)}


def nearest_rank(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all did not exceed; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3)
