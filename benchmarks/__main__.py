"""Measures the hot path: `python -m benchmarks`; `make bench` calls it."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.bench import BENCH_JSON, run_bench
from benchmarks.command import DEFAULT_SHOP_DIR, EXIT_FAILED, ShopDir, run_in_folder, start, wants
from benchmarks.json_file import write_json
from benchmarks.picture import draw
from benchmarks.plan import full_plan, quick_plan
from benchmarks.progress import Progress
from benchmarks.report import Report, table

QUICK_VARIABLE = "BENCH_QUICK"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def bench(
    picture: Annotated[Path | None, typer.Option(help="Where to draw the figures, as SVG.")] = None,
    shop_dir: ShopDir = DEFAULT_SHOP_DIR,
) -> None:
    """Measure the shop against pgbench, against an empty handler, and against itself without group commit.

    With BENCH_QUICK=1 in the environment it measures the most important rows, within three minutes.
    """
    plan = quick_plan() if wants(QUICK_VARIABLE) else full_plan()
    report = run_in_folder(shop_dir, lambda folder: run_bench(plan, folder, Progress()))
    write_json(report.as_json(), shop_dir / BENCH_JSON)
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(draw(report.as_json()), encoding="utf-8")
    _show(report, shop_dir / BENCH_JSON)
    raise typer.Exit(EXIT_FAILED if report.faults else 0)


def _show(report: Report, path: Path) -> None:
    for name, middle, spread in table(report):
        print(f"{name:<22} {middle:>7}  ({spread})")
    print(f"{report.results.resident_mb.get('together', 0.0):.0f} MB are resident in the three services.")
    for fault in report.faults:
        print(f"WRONG: {fault}")
    print(f"All figures and all raw rounds are in {path}.")
    print(f"AUDIT {'FAILED' if report.disagreements else 'OK'} disagreements={report.disagreements}", flush=True)


if __name__ == "__main__":
    start(app)
