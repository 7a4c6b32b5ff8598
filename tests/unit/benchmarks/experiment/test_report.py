"""What is told of an experiment, and when it has failed."""

from dataclasses import replace

from benchmarks.experiment.plan import Cell, smallest_plan
from benchmarks.experiment.results import CellResult
from tests.unit.benchmarks.experiment.reports import a_cell, a_load, a_report

GROUPED = Cell("grouped", "sync", "one", 8)
OPTIMISTIC = Cell("optimistic", "sync", "one", 8)
KEYS = {
    *(
        "strategy",
        "mode",
        "discs",
        "clients",
        "orders_per_s",
        "settled_per_s",
        "p50_ms",
        "p99_ms",
        "confirmed",
        "refused",
    ),
    *("aborted", "pending", "settle_s", "cpu_us_per_order", "sale", "last_copies", "audit", "faults"),
}


def test_a_run_that_agrees_says_so_with_its_figures() -> None:
    report = a_report()
    told = report.as_json()
    assert report.is_well
    assert report.last_line == "EXPERIMENT OK cells=120 disagreements=0"
    assert told["cells"] == len(told["results"]) == 120
    assert told["audit"]["disagreements"] == 0
    assert all(set(one) == KEYS for one in told["results"])


def test_one_audit_that_disagrees_fails_the_run() -> None:
    report = a_report(smallest_plan(), wrong=[GROUPED])
    assert not report.is_well
    assert report.last_line == "EXPERIMENT FAILED cells=24 disagreements=2"
    assert report.as_json()["audit"]["disagreements"] == 2


def test_what_several_audits_of_a_shop_find_counts_once() -> None:
    report = a_report(smallest_plan(), wrong=[GROUPED, Cell("grouped", "sync", "many", 8)])
    assert report.results.disagreements == 2
    assert a_report(smallest_plan(), wrong=[GROUPED, OPTIMISTIC]).results.disagreements == 4


def test_a_combination_that_was_not_measured_fails_the_run_and_the_others_are_kept() -> None:
    report = a_report(smallest_plan())
    report.results.cells.pop()
    assert report.last_line == "EXPERIMENT FAILED cells=23 disagreements=0"
    assert report.faults == ["combinations that were not measured: 1"]
    assert len(report.as_json()["results"]) == 23


def test_what_a_quick_run_had_no_time_for_is_told_and_is_no_fault() -> None:
    report = a_report(smallest_plan())
    del report.results.cells[-4:]
    report.results.left_out = 4
    assert report.last_line == "EXPERIMENT OK cells=20 disagreements=0"
    assert report.as_json()["left_out"] == 4


def test_a_fault_that_no_audit_sees_fails_the_run() -> None:
    report = a_report(smallest_plan())
    report.results.faults.append("9 of 10 calls were answered")
    assert report.last_line == "EXPERIMENT FAILED cells=24 disagreements=0"


def test_aborted_orders_are_no_throughput_and_are_counted_as_what_became_of_them() -> None:
    told = a_cell(OPTIMISTIC, sale=a_load(orders=1_000, seconds=2.0, aborted=400)).as_json()
    assert told["orders_per_s"] == 300.0
    assert told["aborted"] == 400
    assert told["confirmed"] + told["refused"] == 1_000 + 100
    assert told["refused"] == 50


def test_orders_to_the_end_count_the_time_until_the_last_was_final() -> None:
    assert a_load(orders=1_000, seconds=2.0, pending=500).settled_per_s == 250.0
    unsettled = replace(a_load(), settle_s=None)
    assert unsettled.settled_per_s is None
    told: CellResult = a_cell(GROUPED, sale=unsettled)
    assert told.as_json()["settle_s"] is None
