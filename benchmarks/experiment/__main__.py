"""Measures every strategy in every mode: `python -m benchmarks.experiment`; `make experiment` calls it."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import DEFAULT_SHOP_DIR, EXIT_FAILED, ShopDir, run_in_folder, start, wants
from benchmarks.experiment.page import write_docs
from benchmarks.experiment.plan import full_plan, quick_plan
from benchmarks.experiment.run import run_experiment
from benchmarks.json_file import write_json
from benchmarks.progress import Progress

QUICK_VARIABLE = "EXPERIMENT_QUICK"
EXPERIMENT_JSON = "experiment.json"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def experiment(
    docs: Annotated[Path | None, typer.Option(help="The folder for the page and its picture.")] = None,
    shop_dir: ShopDir = DEFAULT_SHOP_DIR,
) -> None:
    """Measure all strategies in all modes, with few clients and many, on one disc and on many, and audit each.

    With EXPERIMENT_QUICK=1 in the environment it measures a part of that, within five minutes.
    """
    plan = quick_plan() if wants(QUICK_VARIABLE) else full_plan()
    report = run_in_folder(shop_dir, lambda folder: run_experiment(plan, folder, Progress()))
    path = shop_dir / EXPERIMENT_JSON
    write_json(report.as_json(), path)
    for fault in report.faults:
        print(f"WRONG: {fault}")
    if docs is not None and report.is_well:
        write_docs(report.as_json(), docs)
    if report.results.left_out:
        print(f"There was no time for {report.results.left_out} combinations.")
    print(f"All figures are in {path}.")
    print(report.last_line, flush=True)
    raise typer.Exit(0 if report.is_well else EXIT_FAILED)


if __name__ == "__main__":
    start(app)
