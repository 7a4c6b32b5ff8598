"""How far a benchmark is: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[str], None]


class Progress:
    """Shows each measurement as it comes, in a line."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def say(self, text: str) -> None:
        """Show a line, behind the seconds so far."""
        print(f"{time.monotonic() - self._start_s:6.1f} s  {text}", flush=True)

    @contextmanager
    def block(self, name: str, measurements: int) -> Iterator[Told]:
        """Yield what shows a measurement of this block."""
        if sys.stdout.isatty():
            with _bar(name, measurements) as show:
                yield show
        else:
            yield lambda told: self.say(f"{name:<10} {told}")


@contextmanager
def _bar(name: str, measurements: int) -> Iterator[Told]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns) as bars:
        task = bars.add_task(name, total=measurements, told="")
        yield lambda told: bars.update(task, advance=1, told=told)
