"""Experiments that nobody made."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.audit import Verdict
from benchmarks.experiment.plan import ONE, Cell, ExperimentPlan, full_plan
from benchmarks.experiment.report import ExperimentReport
from benchmarks.experiment.results import CellResult, ExperimentResults, LoadResult

AGREES = Verdict(disagreements=0, orders_sold=1_000, copies_sold=1_000, faults=[])
MOST = {"grouped": 2_000, "atomic": 800, "pessimistic": 500, "optimistic": 300}
CPU = {"order_service": 310.0, "catalog_service": 60.0, "customer_service": 20.0, "postgres": 90.0, "client": 40.0}
MADE = {
    "strategies": ["grouped", "atomic", "pessimistic", "optimistic"],
    "modes": ["sync", "async", "hybrid"],
    "spreads": ["one", "many"],
    "discs": 1_000,
    "load_s": 3.0,
    "time": "2030-01-01T00:00:00+00:00",
    "load_generator": "h2load <1>",
    "cpu": "A & B",
    "cpus": 2,
    "memory_gb": 8.0,
    "python": "3.11",
    "grpcio": "1.83.2",
    "postgres": {"server_version": "18"},
}


def a_load(
    *,
    orders: int = 1_000,
    seconds: float = 1.0,
    refused: int = 0,
    aborted: int = 0,
    pending: int = 0,
    p99_ms: float = 9.0,
) -> LoadResult:
    return LoadResult(
        calls=orders,
        answered=orders,
        seconds=seconds,
        p50_ms=p99_ms / 2,
        p99_ms=p99_ms,
        orders=orders,
        confirmed=orders - refused,
        refused=refused,
        aborted=aborted,
        pending=pending,
        settle_s=6.0 if aborted else 2.0 if pending else 0.0,
        cpu_us_per_order=CPU,
    )


def a_cell(cell: Cell, *, verdict: Verdict = AGREES, sale: LoadResult | None = None) -> CellResult:
    last = a_load(orders=100, refused=50)
    return CellResult(cell=cell, sale=sale or a_load(), last_copies=last, verdict=verdict, faults=verdict.faults)


def a_sale(cell: Cell) -> LoadResult:
    """A sale as it might be: a crowd helps groups, and nobody else on one disc."""
    most = MOST[cell.strategy] if cell.discs == ONE else 1_800
    grown = cell.clients / (cell.clients + 12)
    crowded = 1.0 if cell.strategy == "grouped" or cell.discs != ONE else 1 / (1 + cell.clients / 300)
    rate = most * grown * crowded * (1.6 if cell.mode == "async" else 1.0)
    orders = int(rate * 3)
    aborts = cell.strategy == "optimistic" and cell.mode == "sync" and cell.discs == ONE and cell.clients > 1
    return a_load(
        orders=orders,
        seconds=3.0,
        p99_ms=cell.clients / rate * 2_000,
        aborted=orders // 5 if aborts else 0,
        pending=orders // 2 if cell.mode == "async" else 0,
    )


def a_report(
    plan: ExperimentPlan | None = None, *, sale: Callable[[Cell], LoadResult] = a_sale, wrong: Sequence[Cell] = ()
) -> ExperimentReport:
    plan = plan or full_plan()
    results = ExperimentResults()
    for mode in plan.modes:
        for row in plan.rows(mode):
            for cell in row:
                verdict = Verdict(2, 1_000, 1_000, ["an order is lost"]) if cell in wrong else AGREES
                results.cells.append(a_cell(cell, verdict=verdict, sale=sale(cell)))
    return ExperimentReport(plan, MADE | {"clients": list(plan.clients)}, results)


def a_whole_report() -> dict[str, Any]:
    return a_report().as_json()
