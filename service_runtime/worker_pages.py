"""The pages of a parent's workers: in memory that the parent holds, so that what a worker counted outlives it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from service_runtime.metric_page import Page, make_shared_memory
from service_runtime.metrics import ServiceMetrics


class WorkerPages:
    """One page for each worker's number, whoever has that number."""

    def __init__(self, descriptors: Sequence[int], declare: Callable[[Page], ServiceMetrics]) -> None:
        self._descriptors = descriptors
        self._metrics = [declare(Page.shared(descriptor)) for descriptor in descriptors]
        self._pids: dict[int, int] = {}

    @property
    def pages(self) -> list[Page]:
        """All pages."""
        return [metrics.page for metrics in self._metrics]

    def pids(self) -> list[int]:
        """The parent's process, and those of the workers that run."""
        return [os.getpid(), *tuple(self._pids.values())]

    def descriptor(self, number: int) -> int:
        """What the worker of this number, counted from 1, inherits."""
        return self._descriptors[number - 1]

    def began(self, number: int, pid: int) -> None:
        """A worker runs."""
        self._pids[number] = pid

    def ended(self, number: int, *, died: bool) -> None:
        """A worker has ended: what it had under way is no more, what it counted stays."""
        self._pids.pop(number, None)
        metrics = self._metrics[number - 1]
        metrics.page.forget_gauges()
        if died:
            metrics.worker_deaths.add()


@contextmanager
def worker_pages(count: int, declare: Callable[[Page], ServiceMetrics]) -> Iterator[WorkerPages]:
    """Makes the pages, and gives their memory back at the end of the block."""
    with ExitStack() as stack:
        descriptors = []
        for number in range(1, count + 1):
            descriptors.append(make_shared_memory(f"metrics-{number}"))
            stack.callback(os.close, descriptors[-1])
        yield WorkerPages(descriptors, declare)
