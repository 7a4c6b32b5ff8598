"""docs/experiment.md and its picture, made of a run's figures."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.experiment.figures import Figures
from benchmarks.experiment.lessons import CROWD, SYNC, lessons
from benchmarks.experiment.picture import draw
from benchmarks.experiment.plan import ONE, POOL_SIZES, full_plan
from benchmarks.experiment.tables import all_figures, rates_and_waits

TEMPLATE = Path(__file__).with_name("page.md")
PAGE, PICTURE = "experiment.md", "experiment.svg"
# What the exercise that this shop grew out of was asked for, and what it did: purchases of one disc in a second.
ORIGINAL_PROMISED, ORIGINAL_DONE = 50, 48


def write_docs(report: Mapping[str, Any], folder: Path) -> None:
    """Write the page and its picture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_text(draw(report), encoding="utf-8")
    (folder / PAGE).write_text(page(report), encoding="utf-8")


def page(report: Mapping[str, Any]) -> str:
    """Return the page, of a report as in experiment.json."""
    figures = Figures(report)
    made = figures.made
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        extent=_extent(figures),
        lessons="\n\n".join(lessons(figures)),
        rates=rates_and_waits(figures),
        all_figures=all_figures(figures),
        original=_beside_the_original(figures),
        discs=f"{made['discs']:,}",
        pools=", ".join(f"{size} for the {service}" for service, size in POOL_SIZES.items()),
        load_s=f"{made['load_s']:g}",
        machine=f"{made['cpus']} x {made['cpu']}, {made['memory_gb']} GB",
        versions=f"PostgreSQL {made['postgres']['server_version']}, Python {made['python']}, grpcio {made['grpcio']}",
        generator=made["load_generator"],
        day=made["time"][:10],
    )


def _extent(figures: Figures) -> str:
    """Say how much of the experiment these figures are of."""
    count, whole = len(figures.results), full_plan().cells
    clients = ", ".join(f"{clients:,}" for clients in figures.clients)
    told = f"{count} combinations, with {clients} clients"
    if count == whole:
        return told
    strategies, modes = ", ".join(figures.strategies), ", ".join(figures.modes)
    return f"{told} ({strategies}; {modes}), a part of the whole, which has {whole}"


def _beside_the_original(figures: Figures) -> str:
    """Compare with what the exercise did."""
    clients = figures.nearest(CROWD)
    rates = {strategy: figures.rate(strategy, SYNC, ONE, clients) for strategy in figures.strategies}
    told = ", ".join(f"{strategy} {rate:,.0f} ({rate / ORIGINAL_DONE:.0f} times)" for strategy, rate in rates.items())
    return f"With {clients:,} clients on one disc in sync mode, orders a second here, and how many times {ORIGINAL_DONE} that is: {told}."
