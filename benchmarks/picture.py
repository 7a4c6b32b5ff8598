"""The figures as a picture: a bar for each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.svg import LINE_HEIGHT, MARGIN, document, notes

WIDTH = 860
LABEL_WIDTH = 330
BAR_WIDTH = 380
ROW_HEIGHT = 26
BAR_HEIGHT = 16
TITLE_HEIGHT = 34
PANEL_GAP = 14

LIGHT = """.base { fill: #8c959f; }
.ours { fill: #1f6feb; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
"""
DARK = """  .base { fill: #656c76; }
  .ours { fill: #4493f8; }
  .spread { stroke: #f0f6fc; }
"""


@dataclass(frozen=True)
class Bar:
    """A row of the report under the words that people read."""

    row: str
    label: str
    is_ours: bool = True


PANELS: Mapping[str, Sequence[Bar]] = {
    "One disc, one order a call, {clients} clients: orders a second": (
        Bar("pgbench", "pgbench: UPDATE and INSERT", is_ours=False),
        Bar("ungrouped", "CreateOrder, group commit off", is_ours=False),
        Bar("unary", "CreateOrder"),
        Bar("unary_tls", "CreateOrder, by TLS"),
        Bar("unary_tls_tokens", "CreateOrder, by TLS and with tokens"),
        Bar("refused", "CreateOrder, sold out"),
        Bar("echo", "an empty handler, the most that gRPC can do", is_ours=False),
    ),
    "One disc, many orders a call": (
        Bar("pgbench", "pgbench: UPDATE and INSERT", is_ours=False),
        Bar("batch_100", "BatchCreateOrders of 100"),
        Bar("batch_1000", "BatchCreateOrders of 1,000"),
        Bar("stream", "PlaceOrders, a stream of messages of 100"),
    ),
    "CreateOrder with more clients, more discs, more orders": (
        Bar("unary_1", "1 client"),
        Bar("unary_8", "8 clients"),
        Bar("unary_32", "32 clients"),
        Bar("unary_90", "90 clients"),
        Bar("unary_256", "256 clients"),
        Bar("unary_1000", "1,000 clients"),
        Bar("unary_spread", "{clients} clients, {discs:,} discs"),
        Bar("unary_empty", "{clients} clients, no order yet"),
        Bar("unary_filled", "{clients} clients, {rows_filled:,} orders before"),
    ),
}


def draw(report: Mapping[str, Any]) -> str:
    """Draw what the report (as in bench.json) has of each panel: medians, with lines from the lowest to the highest round."""
    y, parts = MARGIN, []
    for title, bars in PANELS.items():
        shown = [bar for bar in bars if bar.row in report["orders_per_s"]]
        if shown:
            parts.append(_panel(report, title, shown, y))
            y += TITLE_HEIGHT + ROW_HEIGHT * len(shown) + PANEL_GAP
    lines, y = notes(_notes(report), y)
    return document(
        [*parts, *lines], width=WIDTH, height=y + MARGIN, label="Orders a second, measured", light=LIGHT, dark=DARK
    )


def _panel(report: Mapping[str, Any], title: str, bars: Sequence[Bar], y: int) -> str:
    rates, spreads, made = report["orders_per_s"], report["orders_per_s_spreads"], report["made"]
    scale = BAR_WIDTH / max(spreads[bar.row]["high"] for bar in bars)
    parts = [f'<text class="title" x="{MARGIN}" y="{y + LINE_HEIGHT}">{escape(title.format_map(made))}</text>']
    for place, bar in enumerate(bars):
        middle = y + TITLE_HEIGHT + ROW_HEIGHT * place + ROW_HEIGHT // 2
        top, width = middle - BAR_HEIGHT // 2, max(rates[bar.row] * scale, 1)
        low, high = (LABEL_WIDTH + spreads[bar.row][end] * scale for end in ("low", "high"))
        kind = "ours" if bar.is_ours else "base"
        parts += [
            f'<text x="{LABEL_WIDTH - 10}" y="{middle + 4}" text-anchor="end">{escape(bar.label.format_map(made))}</text>',
            f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"/>',
            f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
            f'<text x="{high + 10:.1f}" y="{middle + 4}">{rates[bar.row]:,.0f}</text>',
        ]
    return "\n".join(parts)


def _notes(report: Mapping[str, Any]) -> Sequence[str]:
    made, ratios = report["made"], report["ratios"]
    told = {"vs_pgbench": "pgbench", "vs_ungrouped": "group commit off", "vs_echo": "the empty handler"}
    compared = ", ".join(f"{ratios[name]:.2f} x {label}" for name, label in told.items() if ratios.get(name))
    day = made["time"][:10]
    postgres = made["postgres"]["server_version"]
    return (
        f"CreateOrder is {compared}.",
        "Bars are medians, ratios are medians of ratios round by round; lines lead from the lowest to the highest round.",
        f"{made['cpus']} x {made['cpu']}, {made['memory_gb']} GB, for the client, three services and PostgreSQL {postgres} together;",
        f"{made['load_generator']}, Python {made['python']}, grpcio {made['grpcio']}. fsync and synchronous_commit are on. {day}.",
    )
