"""Measures the hot path: `python -m benchmarks`; `make bench` calls it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.bench import BENCH_JSON, run_bench, write_json
from benchmarks.folder import bench_folder
from benchmarks.picture import draw
from benchmarks.plan import full_plan, quick_plan
from benchmarks.progress import Progress
from benchmarks.report import Report, table
from local_shop.errors import LocalShopError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
DEFAULT_SHOP_DIR = Path(__file__).parent.parent / ".shop"
QUICK_VARIABLE = "BENCH_QUICK"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def bench(
    picture: Annotated[Path | None, typer.Option(help="Where to draw the figures, as SVG.")] = None,
    shop_dir: Annotated[
        Path, typer.Option(envvar="SHOP_DIR", help="Where the report goes, and the databases.")
    ] = DEFAULT_SHOP_DIR,
) -> None:
    """Measure the shop against pgbench, against an empty handler, and against itself without group commit.

    With BENCH_QUICK=1 in the environment it measures the most important rows, within three minutes.
    """
    plan = quick_plan() if os.environ.get(QUICK_VARIABLE, "0") not in {"", "0"} else full_plan()
    try:
        with bench_folder(shop_dir) as folder:
            report = asyncio.run(run_bench(plan, folder, Progress()))
    except LocalShopError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    write_json(report, shop_dir / BENCH_JSON)
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


def _interrupt(number: int, frame: object) -> None:
    """Do as Ctrl-C would, and stop all in good order."""
    del number, frame
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """Run it; SIGTERM and a closed terminal stop it like Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    app()


if __name__ == "__main__":
    main()
