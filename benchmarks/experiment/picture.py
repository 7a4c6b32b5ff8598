"""The figures as a picture: throughput and p99 against clients, a line for each strategy, a panel for each mode and spread."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.experiment.figures import Figures
from benchmarks.experiment.plan import MANY, ONE
from benchmarks.svg import LINE_HEIGHT, MARGIN, document, notes

WIDTH = 900
PANEL_HEIGHT = 150
AXIS_WIDTH = 54
GAP = 18
TITLE_HEIGHT = 44
CLIENTS_HEIGHT = 24
LEGEND_HEIGHT = 34
LEGEND_STEP = 130
MARK = 4
TICKS = 4

# Told apart by colour and by mark, so that they also are in print, and by those who see colours otherwise.
COLOURS = {
    "grouped": ("#0969da", "#4493f8"),
    "atomic": ("#1a7f37", "#3fb950"),
    "pessimistic": ("#bc4c00", "#f0883e"),
    "optimistic": ("#8250df", "#bc8cff"),
}
MARKS: Mapping[str, Callable[[float, float], str]] = {
    "grouped": lambda x, y: f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MARK}"/>',
    "atomic": lambda x, y: f'<rect x="{x - MARK:.1f}" y="{y - MARK:.1f}" width="{2 * MARK}" height="{2 * MARK}"/>',
    "pessimistic": lambda x, y: _polygon(x, y, ((0, -5), (5, 4), (-5, 4))),
    "optimistic": lambda x, y: _polygon(x, y, ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0))),
}
SPREAD_WORDS = {ONE: "One disc", MANY: "Many discs"}
LIGHT = """.grid { stroke: #d1d9e0; stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
""" + "".join(f".{name} {{ stroke: {light}; fill: {light}; }}\n" for name, (light, _) in COLOURS.items())
DARK = "  .grid { stroke: #3d444d; }\n" + "".join(
    f"  .{name} {{ stroke: {dark}; fill: {dark}; }}\n" for name, (_, dark) in COLOURS.items()
)


@dataclass(frozen=True)
class Measure:
    """What a row of panels shows, and whether equal steps upwards mean equal factors."""

    title: str
    key: str
    is_logarithmic: bool


MEASURES = (
    Measure("orders a second", "orders_per_s", is_logarithmic=False),
    Measure("p99 in milliseconds, each line ten times the one below", "p99_ms", is_logarithmic=True),
)


@dataclass(frozen=True)
class Scale:
    """Values up a panel's side: from `low` at its foot to `high` at its top, with lines at `ticks`."""

    low: float
    high: float
    ticks: Sequence[float]
    is_logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float], *, is_logarithmic: bool) -> "Scale":
        """Return a scale in round figures that has room for all values."""
        if is_logarithmic:
            low = math.floor(math.log10(max(min(values), 0.1)))
            high = max(math.ceil(math.log10(max(*values, 0.1))), low + 1)
            return cls(10.0**low, 10.0**high, [10.0**power for power in range(low, high + 1)], is_logarithmic=True)
        step = _round_up(max(*values, 1.0) / TICKS)
        count = math.ceil(max(values) / step) or 1
        return cls(0.0, step * count, [step * number for number in range(count + 1)], is_logarithmic=False)

    def share(self, value: float) -> float:
        """Return how far up a value stands, from 0 to 1."""
        if self.is_logarithmic:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return value / self.high


def draw(report: Mapping[str, Any]) -> str:
    """Draw a report (as in experiment.json): panels of a row have one scale."""
    figures = Figures(report)
    parts = _legend(figures, MARGIN)
    y = MARGIN + LEGEND_HEIGHT
    for discs in figures.spreads:
        for measure in MEASURES:
            parts += _row(figures, discs, measure, y)
            y += TITLE_HEIGHT + PANEL_HEIGHT + CLIENTS_HEIGHT + GAP
    lines, y = notes(_notes(figures), y - GAP)
    label = "Throughput and p99 against clients, for each strategy, mode and spread over discs"
    return document([*parts, *lines], width=WIDTH, height=y + MARGIN, label=label, light=LIGHT, dark=DARK)


def _legend(figures: Figures, y: int) -> list[str]:
    parts = []
    for place, strategy in enumerate(figures.strategies):
        x = MARGIN + AXIS_WIDTH + place * LEGEND_STEP
        parts += [
            _marked(strategy, [(x, y + 9), (x + 24, y + 9)]),
            f'<text class="title" x="{x + 34}" y="{y + 14}">{escape(strategy)}</text>',
        ]
    return parts


def _row(figures: Figures, discs: str, measure: Measure, y: int) -> list[str]:
    values = [float(told[measure.key]) for told in figures.results if told["discs"] == discs]
    scale = Scale.of(values, is_logarithmic=measure.is_logarithmic)
    width = (WIDTH - 2 * MARGIN - AXIS_WIDTH - GAP * (len(figures.modes) - 1)) / len(figures.modes)
    title = escape(f"{SPREAD_WORDS[discs]}: {measure.title}")
    parts = [f'<text class="title" x="{MARGIN}" y="{y + LINE_HEIGHT - 4}">{title}</text>']
    for place, mode in enumerate(figures.modes):
        x, top = MARGIN + AXIS_WIDTH + place * (width + GAP), y + TITLE_HEIGHT
        parts.append(f'<text x="{x:.1f}" y="{top - 10}">{escape(mode)}</text>')
        parts += _grid(figures, scale, x, top, width, with_values=not place)
        for strategy in figures.strategies:
            points = [
                (
                    _x_of(number, figures, x, width),
                    top + PANEL_HEIGHT * (1 - scale.share(figures.cell(strategy, mode, discs, clients)[measure.key])),
                )
                for number, clients in enumerate(figures.clients)
                if figures.has(strategy, mode, discs, clients)
            ]
            parts.append(_marked(strategy, points))
    return parts


def _grid(figures: Figures, scale: Scale, x: float, top: float, width: float, *, with_values: bool) -> list[str]:
    parts = []
    for tick in scale.ticks:
        y = top + PANEL_HEIGHT * (1 - scale.share(tick))
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x + width:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if with_values:
            parts.append(f'<text class="note" x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    for number, clients in enumerate(figures.clients):
        middle, y = _x_of(number, figures, x, width), top + PANEL_HEIGHT + 16
        parts.append(f'<text class="note" x="{middle:.1f}" y="{y:.1f}" text-anchor="middle">{clients:,}</text>')
    return parts


def _x_of(number: int, figures: Figures, x: float, width: float) -> float:
    return x + width * (number + 0.5) / len(figures.clients)


def _marked(strategy: str, points: Sequence[tuple[float, float]]) -> str:
    """Draw a strategy's line with its marks."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = "".join(MARKS[strategy](x, y) for x, y in points)
    return f'<g class="{strategy}"><polyline class="line" points="{path}" style="fill: none"/>{marks}</g>'


def _polygon(x: float, y: float, corners: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{x + right:.1f},{y + down:.1f}" for right, down in corners)
    return f'<polygon points="{points}"/>'


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if value <= factor * power)


def _notes(figures: Figures) -> Sequence[str]:
    made = figures.made
    where = f"{made['cpus']} x {made['cpu']} for the clients, the services and PostgreSQL {made['postgres']['server_version']} together"
    return (
        "Below each panel: clients, each with one order under way.",
        "In sync mode an order counts when it is decided, in the others when it is taken in.",
        f"{where}; {made['load_generator']}. {made['time'][:10]}.",
    )
