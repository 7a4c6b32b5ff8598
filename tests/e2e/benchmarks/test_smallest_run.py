"""The smallest possible run of the whole benchmark: all rows, all baselines, all keys, and nothing about speed."""

import json
from collections import Counter
from typing import Any

import pytest

from benchmarks.bench import run_bench
from benchmarks.blocks import WARM_UP
from benchmarks.json_file import write_json
from benchmarks.picture import PANELS, draw
from benchmarks.plan import smallest_plan
from benchmarks.progress import Progress
from benchmarks.report import Report
from tests.support.load_clients import skip_without_client

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)

RATIOS = {
    "vs_pgbench",
    "vs_echo",
    "vs_ungrouped",
    "alone_vs_ungrouped",
    "refused_vs_echo",
    "refused_vs_unary",
    "batch_100_vs_pgbench",
    "batch_1000_vs_pgbench",
    "stream_vs_unary",
    "tls_vs_plain",
    "tls_tokens_vs_plain",
    "hot_vs_spread",
    "rows_5m_vs_empty",
}
ROWS = {
    *("pgbench", "echo", "unary", "ungrouped", "ungrouped_8", "ungrouped_16", "refused", "unary_1", "ungrouped_1"),
    *("batch_100_x1", "batch_100_x2", "batch_1000_x1", "batch_100", "batch_1000", "stream_x1", "stream_x2", "stream"),
    *(
        "unary_tls",
        "unary_tls_tokens",
        "unary_8",
        "unary_90",
        "unary_spread",
        "unary_beside_batches",
        "unary_empty",
        "unary_filled",
    ),
}
SERVICES = {"catalog_service", "customer_service", "order_service"}


@pytest.fixture(scope="module")
async def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    skip_without_client()
    return await run_bench(smallest_plan(), tmp_path_factory.mktemp("bench"), Progress())


@pytest.fixture(scope="module")
def told(report: Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("report") / "bench.json"
    write_json(report.as_json(), path)
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


async def test_every_key_is_filled(report: Report, told: dict[str, Any]) -> None:
    assert report.faults == []
    assert {name for name, ratio in told["ratios"].items() if ratio > 0} == RATIOS
    for key in ("orders_per_s", "p50_ms", "p99_ms"):
        assert {row for row, value in told[key].items() if value > 0} - {"unary_ghz"} == ROWS
    assert set(told["rss_mb"]) == SERVICES | {"together"}
    assert all(megabytes > 10 for megabytes in told["rss_mb"].values())
    assert told["audit"]["disagreements"] == 0
    assert set(told["audit"]["shops"]) == {
        *("ungrouped_8", "ungrouped_16", "ungrouped", "main", "tls", "locked", "filled", "empty")
    }
    assert told["made"]["postgres"]["fsync"] == told["made"]["postgres"]["synchronous_commit"] == "on"


async def test_cpu_time_is_told_by_process(told: dict[str, Any]) -> None:
    used = told["cpu_us_per_order"]
    assert set(used["unary"]) == SERVICES | {"postgres", "client"}
    assert set(used["echo"]) == {"echo", "client"}
    assert set(used["pgbench"]) == {"postgres", "client"}
    assert used["batch_100"]["order_service"] > 0
    assert used["pgbench"]["postgres"] > 0


async def test_all_raw_rounds_are_kept_and_hold_as_many_orders_as_the_shop_sold(told: dict[str, Any]) -> None:
    rounds = told["rounds"]
    per_row = Counter((one["block"], one["row"]) for one in rounds if one["fault"] is None)
    assert {count for (block, _), count in per_row.items() if block not in {"pool", "client"}} == {2}
    assert {(one["number"] == 0) == (one["fault"] == WARM_UP) for one in rounds if one["fault"] in {None, WARM_UP}} == {
        True
    }
    # Beside batches only the single callers' orders are told; the books of those rounds were checked with both.
    shops = told["audit"]["shops"]
    for shop in ("ungrouped_8", "ungrouped_16", "ungrouped", "tls", "locked", "empty"):
        # One order more is the one that every shop begins with.
        assert shops[shop]["copies_sold"] == 1 + sum(one["orders"] for one in rounds if one["shop"] == shop)
    filled = sum(one["orders"] for one in rounds if one["shop"] == "filled")
    assert shops["filled"]["copies_sold"] == 1 + smallest_plan().rows_filled + filled


async def test_the_picture_has_a_bar_for_all_that_was_measured(report: Report) -> None:
    picture = draw(report.as_json())
    shown = {bar.label.format_map(report.made) for bars in PANELS.values() for bar in bars if bar.row in ROWS}
    assert all(f">{label}</text>" in picture for label in shown)
