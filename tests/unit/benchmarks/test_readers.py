"""What the load generators and pgbench print."""

import json

import pytest

from benchmarks import ghz, h2load, pgbench
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import Load

PGBENCH = """pgbench (18.6)
number of transactions actually processed: 180
number of failed transactions: 0 (0.000%)
latency average = 170.000 ms
initial connection time = 400.000 ms
tps = 360.000000 (without initial connection time)
"""


def test_h2load_is_timed_from_the_first_call_to_the_last_answer() -> None:
    log = "1000000\t200\t500000\n1200000\t200\t800000\n1100000\t200\t1000\n"
    assert h2load.read_log(log) == Load(answered=3, seconds=1.0, latencies_ms=[500.0, 800.0, 1.0])


def test_a_call_of_h2load_that_failed_is_no_answer() -> None:
    log = "1000000\t200\t500000\n1000000\t-1\t9000000\n1000000\t503\t100\n"
    assert h2load.read_log(log) == Load(answered=1, seconds=0.5, latencies_ms=[500.0])
    with pytest.raises(BenchmarkFailed):
        h2load.read_log("1000000\t-1\t9000000\n")


def test_refusals_are_answers_of_ghz_and_faults_are_none() -> None:
    details = [
        {"latency": 2_000_000, "status": "OK"},
        {"latency": 3_000_000, "status": "FailedPrecondition"},
        {"latency": 4_000_000, "status": "Aborted"},
        {"latency": 9_000_000, "status": "Unavailable"},
    ]
    counts = {"OK": 1, "FailedPrecondition": 1, "Aborted": 1, "Unavailable": 1}
    report = {"total": 500_000_000, "statusCodeDistribution": counts, "details": details}
    assert ghz.read_report(json.dumps(report)) == Load(answered=3, seconds=0.5, latencies_ms=[2.0, 3.0, 4.0])
    with pytest.raises(BenchmarkFailed):
        ghz.read_report(json.dumps(report | {"statusCodeDistribution": {"Unavailable": 3}}))


def test_pgbench_is_timed_without_its_connecting() -> None:
    log = ["0 1 150000 0 1795000000 123", "1 1 250000 0 1795000000 124"]
    assert pgbench.read_output(PGBENCH, log) == Load(answered=180, seconds=0.5, latencies_ms=[150.0, 250.0])


@pytest.mark.parametrize("missing", ["number of transactions actually processed", "tps"])
def test_a_pgbench_that_says_nothing_is_an_error(missing: str) -> None:
    with pytest.raises(BenchmarkFailed):
        pgbench.read_output(PGBENCH.replace(missing, "?"), [])
