"""Metrics for Prometheus, over HTTP, by a thread of their own: whoever scrapes waits for no call, and no call for them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from socket import AF_INET6, SO_REUSEADDR, SOL_SOCKET
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from service_runtime.metric_page import Family, Merge, Page
from service_runtime.place import cannot_listen
from service_runtime.process_metrics import ProcessesCollector

# A client that says nothing for so long is left.
CLIENT_TIMEOUT_S = 5.0
# How long the end of the process may wait for the thread.
STOP_POLL_S = 0.1

log = structlog.get_logger(__name__)


class PagesCollector(Collector):
    """Reads pages with the same declarations, and answers what they come to together."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages

    def collect(self) -> Iterator[Metric]:
        """Answers each family with its children, but for rare ones at 0."""
        for family in self._pages[0].families:
            match family.kind:
                case "counter":
                    yield self._counter(family)
                case "gauge":
                    yield self._gauge(family)
                case "histogram":
                    yield self._histogram(family)

    def _counter(self, family: Family) -> Metric:
        metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
        for number, child in enumerate(family.children):
            value = self._sum(family.first + number)
            if value or child not in family.rare:
                metric.add_metric(child, value)
        return metric

    def _gauge(self, family: Family) -> Metric:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
        for number, child in enumerate(family.children):
            place = family.first + number * family.width
            match family.merge:
                case Merge.SUM:
                    value = self._sum(place)
                case Merge.MAX:
                    value = max(page.values[place] for page in self._pages)
                case Merge.LATEST:
                    value = max((page.values[place + 1], page.values[place]) for page in self._pages)[1]
            metric.add_metric(child, value)
        return metric

    def _histogram(self, family: Family) -> Metric:
        metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        bounds = [*map(floatToGoString, family.bounds), "+Inf"]
        for number, child in enumerate(family.children):
            first = family.first + number * family.width
            counts = list(accumulate(self._sum(first + bucket) for bucket in range(len(bounds))))
            if counts[-1] or child not in family.rare:
                buckets = list(zip(bounds, counts, strict=True))
                metric.add_metric(child, buckets, sum_value=self._sum(first + len(bounds)))
        return metric

    def _sum(self, place: int) -> float:
        return sum(page.values[place] for page in self._pages)


@contextmanager
def exported(host: str, port: int, pages: Sequence[Page], pids: Callable[[], Sequence[int]]) -> Iterator[None]:
    """Answers scrapes at host:port inside the block; a port in use ends the process with 1. Port 0 is any free one, which the log tells.

    `pids` are the processes whose CPU time and memory count.
    """
    registry = CollectorRegistry()
    for collector in (PagesCollector(pages), ProcessesCollector(pids), PlatformCollector(registry=None)):
        registry.register(collector)
    try:
        server = make_server(
            host.removeprefix("[").removesuffix("]"),
            port,
            make_wsgi_app(registry),
            server_class=_Server6 if ":" in host else _Server,
            handler_class=_Handler,
        )
    except OSError:
        raise cannot_listen(f"{host}:{port}") from None
    with server:
        thread = Thread(target=server.serve_forever, args=(STOP_POLL_S,), name="metrics", daemon=True)
        thread.start()
        log.info("metrics are served", address=f"{host}:{server.server_port}", port=server.server_port)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Not WSGIServer's own way, which looks its name up in the DNS.
        self.server_name, self.server_port = "", 0
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or that was left, is nothing to tell of."""


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name.
        """A scrape every few seconds is no news."""
