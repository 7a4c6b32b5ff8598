"""What people see of a sale and of an audit: bars and tables on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from local_shop.audit import ShopAudit
from local_shop.tally import Tally, percentile_ms
from recordshop.order.v1 import order_pb2

PLAIN_INTERVAL_S = 5.0
ROWS_MAX = 20
PLAIN_WIDTH = 100
FIGURES = ("opening", "moved", "left", "held", "sold")


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


@contextmanager
def shown_progress(title: str, *, orders: int | None, seconds: float) -> Iterator[Callable[[Tally], None]]:
    """Yield what shows a tally whenever it is called; the bar is full after `orders`, or else after `seconds`."""
    start_s = time.monotonic()

    def describe(tally: Tally) -> str:
        rate = tally.orders / max(time.monotonic() - start_s, 0.001)
        p50, p99 = (percentile_ms(tally.recent_s, share) for share in (0.5, 0.99))
        failed = f"  failed {tally.failed}" if tally.failed else ""
        return f"{rate:.1f}/s  sold {tally.sold}  refused {tally.refused}{failed}  p50 {p50:.1f} ms  p99 {p99:.1f} ms"

    def completed(tally: Tally) -> float:
        return tally.orders / orders if orders else (time.monotonic() - start_s) / seconds

    show = _bar if sys.stdout.isatty() else _lines
    with show(title) as update:
        yield lambda tally: update(completed(tally), describe(tally))


def show_audit(audit: ShopAudit) -> None:
    """Print what the services say of each disc that was sold, or that does not agree, and how many others there are."""
    from rich.console import Console  # noqa: PLC0415 -- only who shows a table pays for rich
    from rich.table import Table  # noqa: PLC0415

    shown = [
        disc for disc in audit.services if disc.sold or disc.held or disc.verdict != order_pb2.AUDIT_VERDICT_AGREES
    ]
    if shown:
        # Without frames it fits into 80 columns.
        table = Table("disc", box=None, padding=(0, 1, 0, 0))
        for name in FIGURES:
            table.add_column(name, justify="right")
        table.add_column("verdict")
        for disc in shown[:ROWS_MAX]:
            verdict = order_pb2.AuditVerdict.Name(disc.verdict).removeprefix("AUDIT_VERDICT_")
            table.add_row(disc.disc_id, *(str(getattr(disc, name)) for name in FIGURES), verdict)
        Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)
    others = len(audit.services) - len(shown[:ROWS_MAX])
    say(f"{others} more discs are not shown. The databases were read as well, order by order.")
    for fault in audit.faults:
        say(f"WRONG: {fault}")


@contextmanager
def _bar(title: str) -> Iterator[Callable[[float, str], None]]:
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    # The bar takes what the figures leave of the line.
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[told]}"))
    with Progress(*columns, expand=True) as progress:
        task = progress.add_task(title, total=1.0, told="")
        yield lambda done, told: progress.update(task, completed=min(done, 1.0), told=told)


@contextmanager
def _lines(title: str) -> Iterator[Callable[[float, str], None]]:
    last_s = time.monotonic()
    last = (0.0, "")

    def update(done: float, told: str) -> None:
        nonlocal last_s, last
        last = (min(done, 1.0), told)
        if time.monotonic() - last_s >= PLAIN_INTERVAL_S and done < 1.0:
            last_s = time.monotonic()
            say(f"{title} {last[0]:4.0%}  {told}")

    yield update
    say(f"{title} {last[0]:4.0%}  {last[1]}")
