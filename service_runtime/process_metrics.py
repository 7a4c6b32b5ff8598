"""CPU time, memory and files of several processes, under the names that every Prometheus client library has for its own."""

import resource
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CPU = "process_cpu_seconds"
# Of these not the sum, but the least: when the first began, and what one process may open.
LEAST = ("process_start_time_seconds", "process_max_fds")


class ProcessesCollector(Collector):
    """Adds the processes up. CPU time includes that of children that have ended, so that it never falls back."""

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids
        self._cpu_s = 0.0

    def collect(self) -> Iterator[Metric]:
        """Answers nothing where there is no /proc."""
        # Read first: a worker that ends in between is missed once rather than counted twice.
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        values: dict[str, list[float]] = {}
        texts: dict[str, str] = {}
        for pid in self._pids():
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                values.setdefault(metric.name, []).append(metric.samples[0].value)
                texts[metric.name] = metric.documentation
        for name, found in values.items():
            if name == CPU:
                self._cpu_s = max(self._cpu_s, sum(found) + ended.ru_utime + ended.ru_stime)
                yield CounterMetricFamily(name, texts[name], value=self._cpu_s)
            else:
                yield GaugeMetricFamily(name, texts[name], value=min(found) if name in LEAST else sum(found))
