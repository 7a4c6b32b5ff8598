"""Judges what CI has run: `judge.py skips TESTS.XML`, `demo DEMO.JSON` or `chaos CHAOS.JSON`.

It ends with 1 and a word if something is wrong.
"""
# ruff: noqa: INP001, T201 -- a program of its own, which prints

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ALLOWED_SKIP = "no Docker engine"
DEMO_ORDERS = 500
DEMO_OPENING = 333
FIGURES = (
    "opening",
    "sold",
    "left",
    "refused",
    "failed",
    "oversold",
    "lost",
    "duplicated",
    "p50_ms",
    "p99_ms",
    "burst",
)
CHAOS_FAULTS_MIN = 30
CHAOS_RECOVERY_MAX_S = 30
CHAOS_FIGURES = (
    "seed",
    "faults",
    "calls",
    "acknowledged",
    "open_orders_at_end",
    "recovery_s",
    "violations",
    "violation_histories",
)


def faults_of_tests(report: Path) -> list[str]:
    """Return the tests that were skipped, or expected to fail, for a reason that CI does not allow."""
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 -- pytest has just written it
    found = [(case, skip) for case in cases for skip in case.iter("skipped")]
    return [
        f"skipped: {case.get('classname')}.{case.get('name')}: {skip.get('message')}"
        for case, skip in found
        if ALLOWED_SKIP not in (skip.get("message") or "")
    ]


def faults_of_demo(report: Path) -> list[str]:
    """Return what is wrong with the figures of a demo of 10 seconds."""
    figures = json.loads(report.read_text(encoding="utf-8"))
    expected = {"opening": DEMO_OPENING, "oversold": 0, "lost": 0, "duplicated": 0}
    faults = [f"{name} is missing" for name in FIGURES if name not in figures]
    faults += [
        f"{name} is {figures.get(name)}, not {value}" for name, value in expected.items() if figures.get(name) != value
    ]
    if figures["sold"] + figures["left"] != figures["opening"]:
        faults.append("sold and left are not opening")
    if figures["sold"] + figures["refused"] + figures["failed"] != DEMO_ORDERS:
        faults.append("sold, refused and failed are not all orders")
    if not figures["burst"]["orders_per_s"] > 0:
        faults.append("the burst sold nothing")
    return faults


def faults_of_chaos(report: Path) -> list[str]:
    """Return what is wrong with the figures of a minute of chaos."""
    figures = json.loads(report.read_text(encoding="utf-8"))
    faults = [f"{name} is missing" for name in CHAOS_FIGURES if name not in figures]
    if faults:
        return faults
    faults += [f"{name} is {figures[name]}, not 0" for name in ("violations", "open_orders_at_end") if figures[name]]
    if figures["faults"]["total"] < CHAOS_FAULTS_MIN:
        faults.append(f"only {figures['faults']['total']} faults struck")
    if not figures["recovery_s"] <= CHAOS_RECOVERY_MAX_S:
        faults.append(f"recovery took {figures['recovery_s']} s")
    if not figures["acknowledged"] > 0:
        faults.append("no order was acknowledged")
    return faults


def main() -> None:
    """Judge one report."""
    kind, report = sys.argv[1], Path(sys.argv[2])
    faults = {"skips": faults_of_tests, "demo": faults_of_demo, "chaos": faults_of_chaos}[kind](report)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
