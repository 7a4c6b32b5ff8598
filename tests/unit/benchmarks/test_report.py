"""What is told of a run."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.audit import Verdict
from benchmarks.errors import BenchmarkFailed
from benchmarks.figures import RatioSpec
from benchmarks.folder import bench_folder
from benchmarks.json_file import write_json
from benchmarks.picture import PANELS, draw
from benchmarks.report import Report, table
from benchmarks.results import Results
from benchmarks.rounds import Round
from tests.unit.benchmarks.measurements import a_round

MADE = {
    "time": "2030-01-01T00:00:00+00:00",
    "clients": 90,
    "discs": 1_000,
    "rows_filled": 5_000_000,
    "load_generator": "h2load <1>",
    "cpu": "A & B",
    "cpus": 2,
    "memory_gb": 8.0,
    "python": "3.11",
    "grpcio": "1.83.2",
    "postgres": {"server_version": "18"},
}
AGREES = Verdict(disagreements=0, orders_sold=500, copies_sold=500, faults=[])
RATIOS = [
    RatioSpec("vs_pgbench", "unary", "pgbench", "baselines"),
    RatioSpec("batch_1000_vs_pgbench", "batch_1000_x4", "pgbench", "baselines"),
]


def some_rounds() -> list[Round]:
    rates = {"unary": 400, "pgbench": 100, "batch_1000_x4": 4_000}
    return [
        a_round(row, orders=rate * number, number=number, shop="" if row == "pgbench" else "main")
        for row, rate in rates.items()
        for number in (1, 2, 3)
    ]


def a_report(results: Results) -> Report:
    return Report(quick=True, made=MADE, results=results)


def test_the_report_has_every_key_and_every_raw_round(tmp_path: Path) -> None:
    results = Results(rounds=some_rounds(), ratios=RATIOS, resident_mb={"together": 200.0})
    results.judge("main", AGREES)
    write_json(a_report(results).as_json(), tmp_path / "bench.json")
    told = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert told["ratios"] == {"vs_pgbench": 4.0, "batch_1000_vs_pgbench": 40.0}
    assert told["ratio_spreads"]["vs_pgbench"] == {"low": 4.0, "high": 4.0, "rounds": 3}
    # The row that the batches' ratio is made of is also there under the ratio's own name.
    assert told["orders_per_s"] == {"unary": 800.0, "pgbench": 200.0, "batch_1000_x4": 8_000.0, "batch_1000": 8_000.0}
    assert told["p50_ms"]["unary"] == 2.0
    assert told["p99_ms"]["unary"] == 9.0
    assert told["cpu_us_per_order"]["unary"] == {"order_service": 300.0}
    assert told["rss_mb"] == {"together": 200.0}
    assert told["audit"]["disagreements"] == 0
    assert [one["orders"] for one in told["rounds"]] == [one.orders for one in results.rounds]
    assert a_report(results).faults == []


def test_no_round_of_a_shop_counts_whose_audit_disagrees() -> None:
    results = Results(rounds=some_rounds(), ratios=RATIOS)
    results.judge("main", Verdict(disagreements=2, orders_sold=500, copies_sold=500, faults=["an order is lost"]))
    report = a_report(results)
    told = report.as_json()
    assert told["ratios"] == {"vs_pgbench": None, "batch_1000_vs_pgbench": None}
    assert set(told["orders_per_s"]) == {"pgbench"}
    assert told["audit"]["disagreements"] == 2
    assert len(told["rounds"]) == 9
    assert report.faults == [
        "no round of unary counts",
        "no round of batch_1000_x4 counts",
        "no round of vs_pgbench counts",
        "no round of batch_1000_vs_pgbench counts",
        "an order is lost",
    ]
    assert [line[1] for line in table(report)] == ["-", "-"]


def test_another_shop_keeps_its_rounds() -> None:
    results = Results(rounds=some_rounds(), ratios=RATIOS)
    results.judge("ungrouped", Verdict(disagreements=1, orders_sold=0, copies_sold=0, faults=["an order is lost"]))
    assert a_report(results).as_json()["ratios"]["vs_pgbench"] == 4.0


def test_the_picture_shows_what_was_measured_and_nothing_else() -> None:
    results = Results(rounds=some_rounds(), ratios=RATIOS)
    root = ET.fromstring(draw(a_report(results).as_json()))
    texts = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert {"800", "200", "8,000"} <= set(texts)
    assert any("CreateOrder is 4.00 x pgbench." in text for text in texts)
    assert any("h2load <1>" in text for text in texts)
    assert not any("sold out" in text for text in texts)
    assert sum(element.tag.endswith("rect") for element in root.iter()) == 1 + 4


def test_every_bar_has_a_place_of_its_own() -> None:
    rows = {bar.row for bars in PANELS.values() for bar in bars}
    results = Results(rounds=[a_round(row) for row in rows])
    root = ET.fromstring(draw(a_report(results).as_json()))
    places = [element.get("y") for element in root.iter() if element.get("class") in {"ours", "base"}]
    assert len(set(places)) == len(places) == sum(map(len, PANELS.values()))


def test_one_benchmark_at_a_time_works_in_its_folder(tmp_path: Path) -> None:
    with (
        bench_folder(tmp_path) as folder,
        pytest.raises(BenchmarkFailed, match="Another benchmark"),
        bench_folder(tmp_path),
    ):
        pass
    assert not folder.exists()


def test_the_folder_of_a_run_that_failed_stays_until_the_next_one(tmp_path: Path) -> None:
    def fail() -> None:
        with bench_folder(tmp_path) as folder:
            (folder / "order.log").touch()
            raise BenchmarkFailed

    with pytest.raises(BenchmarkFailed):
        fail()
    assert (tmp_path / "bench" / "order.log").exists()
    with bench_folder(tmp_path) as folder:
        assert list(folder.iterdir()) == []
