"""The report of a run, as JSON and as the last line."""

import json
from pathlib import Path

from tests.chaos.run import Ran

RECOVERY_MAX_S = 30.0
HISTORIES_MAX = 20


def as_json(ran: Ran) -> dict[str, object]:
    """The report as it stands in chaos.json."""
    tally = ran.tally
    return {
        "seed": ran.seed,
        "faults": {"total": tally.faults.total(), **dict(sorted(tally.faults.items()))},
        "skipped": ran.skipped,
        "calls": {"total": tally.calls.total(), **dict(sorted(tally.calls.items()))},
        "acknowledged": tally.acknowledged,
        "open_orders_at_end": tally.open_orders_at_end,
        "recovery_s": round(tally.recovery_s, 3),
        "violations": len(tally.violations),
        "violation_histories": [violation.as_json() for violation in tally.violations[:HISTORIES_MAX]],
        "struck": tally.struck if tally.violations else [],
    }


def is_well(ran: Ran) -> bool:
    """Whether every rule was kept."""
    tally = ran.tally
    return not tally.violations and tally.open_orders_at_end == 0 and tally.recovery_s <= RECOVERY_MAX_S


def last_line(ran: Ran) -> str:
    """The verdict."""
    tally = ran.tally
    return (
        f"CHAOS {'OK' if is_well(ran) else 'FAILED'} seed={ran.seed} faults={tally.faults.total()} "
        f"acknowledged={tally.acknowledged} open={tally.open_orders_at_end} recovery_s={tally.recovery_s:.1f} "
        f"violations={len(tally.violations)}"
    )


def write_report(path: Path, report: dict[str, object]) -> None:
    """Writes a report, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    unfinished.rename(path)
