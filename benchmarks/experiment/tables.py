"""The figures as tables in Markdown."""

from collections.abc import Sequence

from benchmarks.experiment.figures import Figures, Result
from benchmarks.experiment.picture import SPREAD_WORDS

SERVICES = ("order_service", "catalog_service", "customer_service", "postgres")
ALL_COLUMNS = (
    *("mode", "discs", "strategy", "clients", "orders/s", "to the end/s", "p50 ms", "p99 ms", "confirmed", "refused"),
    *("aborted", "pending", "settled after", "order us", "catalog us", "customer us", "PostgreSQL us", "audit"),
)


def rates_and_waits(figures: Figures) -> str:
    """Return a table for each mode and spread: orders a second and, in brackets, p99 in milliseconds."""
    return "\n\n".join(
        f"**{SPREAD_WORDS[discs]}, {mode}**\n\n{_by_clients(figures, mode, discs)}"
        for discs in figures.spreads
        for mode in figures.modes
    )


def _by_clients(figures: Figures, mode: str, discs: str) -> str:
    rows = [
        [strategy, *(_rate_and_wait(figures, strategy, mode, discs, clients) for clients in figures.clients)]
        for strategy in figures.strategies
    ]
    return table(["clients", *(f"{clients:,}" for clients in figures.clients)], rows)


def _rate_and_wait(figures: Figures, strategy: str, mode: str, discs: str, clients: int) -> str:
    if not figures.has(strategy, mode, discs, clients):
        return "-"
    told = figures.cell(strategy, mode, discs, clients)
    return f"{told['orders_per_s']:,.0f} ({told['p99_ms']:,.0f})"


def all_figures(figures: Figures) -> str:
    """Return one table with a row for each combination."""
    return table(ALL_COLUMNS, [_row(told) for told in figures.results])


def _row(told: Result) -> Sequence[str]:
    cpu = told["cpu_us_per_order"]
    return [
        *(told["mode"], told["discs"], told["strategy"], f"{told['clients']:,}", f"{told['orders_per_s']:,.0f}"),
        *(optional(told["settled_per_s"], ",.0f"), f"{told['p50_ms']:,.1f}", f"{told['p99_ms']:,.1f}"),
        *(f"{told[key]:,}" for key in ("confirmed", "refused", "aborted", "pending")),
        optional(told["settle_s"], ".1f", " s"),
        *(f"{cpu.get(service, 0):,.0f}" for service in SERVICES),
        "agrees" if not told["audit"]["disagreements"] else f"{told['audit']['disagreements']} wrong",
    ]


def optional(value: float | None, style: str, unit: str = "") -> str:
    """Return a figure that there is only if all orders came to their end in time."""
    return "not in time" if value is None else f"{value:{style}}{unit}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is words, and all others figures."""
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
