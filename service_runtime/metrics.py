"""The metrics that every service has: calls, groups, the database's pool, the event loop, and the process itself."""

import platform
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any, Literal, TypeVar

import asyncpg

from service_runtime.metric_page import Cell, Merge, Page

Connection = TypeVar("Connection")

# Seconds of a call, of a wait, of a group. A group on a fast disk takes 5 ms, one that waited for a failover 30 s.
SECONDS = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.075),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
GROUP_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
# What the service answers calls of any name with that it does not have.
UNKNOWN = ("unknown", "unknown", "unknown")
CALL_LABELS = ("grpc_type", "grpc_service", "grpc_method")
# By their numbers.
CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
# What alerts ask for is there from the start, for each method; a series for each of the others too would be ten times as many.
USUAL_CODES = frozenset({"OK", "INTERNAL", "UNAVAILABLE", "RESOURCE_EXHAUSTED"})
# The lane of all calls together, before any other.
CALLS = "calls"
OVERLOADED, EXPIRED, CLOSING = "overloaded", "expired", "closing"
REASONS = (OVERLOADED, EXPIRED, CLOSING)
IN_USE, IDLE = "in_use", "idle"

Method = tuple[str, str, str]


class MethodStats:
    """Counts the calls of one method. Of all that is counted, calls are the most: this goes to their places directly."""

    __slots__ = ("_handled", "_handling_s", "_in_flight", "_started", "_values")

    def __init__(self, calls: "CallStats", method: Method) -> None:
        self._values = calls.values
        self._started = calls.started[method].place
        self._in_flight = calls.in_flight[method].place
        # The codes lie behind each other, in their order.
        self._handled = calls.handled[(*method, CODES[0])].place
        self._handling_s = calls.handling_s[method]

    def begin(self) -> float:
        """Counts a call that begins, and answers the moment."""
        values = self._values
        values[self._started] += 1.0
        values[self._in_flight] += 1.0
        return perf_counter()

    def end(self, code: int, started_s: float) -> None:
        """Counts it as ended with a status code, by its number."""
        values = self._values
        values[self._in_flight] -= 1.0
        values[self._handled + code] += 1.0
        self._handling_s.observe(perf_counter() - started_s)


class CallStats:
    """Counts calls as the gRPC middlewares of other languages do. All names that the service does not have are one method."""

    def __init__(self, page: Page, methods: Sequence[Method], overloaded: Cell) -> None:
        known = [*methods, UNKNOWN]
        self.values = page.values
        self.overloaded = overloaded
        self.started = page.counter_of("grpc_server_started_total", "Calls that began, by method.", CALL_LABELS, known)
        self.handled = page.counter_of(
            "grpc_server_handled_total",
            "Calls that ended, by method and status code.",
            (*CALL_LABELS, "grpc_code"),
            [(*method, code) for method in known for code in CODES],
            rare=[(*method, code) for method in known for code in CODES if code not in USUAL_CODES],
        )
        self.handling_s = page.histogram_of(
            "grpc_server_handling_seconds",
            "Seconds from a call's begin to its end.",
            SECONDS,
            CALL_LABELS,
            known,
            rare=known,
        )
        self.in_flight = page.gauge_of(
            "recordshop_calls_in_flight", "Calls that run now, by method.", CALL_LABELS, known
        )
        self._methods = {f"/{service}/{method}": (kind, service, method) for kind, service, method in methods}

    def of(self, method: str) -> MethodStats:
        """The method's own counters, by its name as in `/package.Service/Method`."""
        return MethodStats(self, self._methods.get(method, UNKNOWN))


class GroupStats:
    """Counts one lane's groups."""

    def __init__(self, metrics: "ServiceMetrics", lane: str) -> None:
        self._size = metrics.group_size[lane,]
        self._wait_s = metrics.group_wait_s[lane,]
        self._commit_s = metrics.group_commit_s[lane,]
        self._waiting = metrics.queue_length[lane,]
        self._in_flight = metrics.groups_in_flight[lane,]
        self._refused = {reason: metrics.refusals[lane, reason] for reason in REASONS}
        self._waiting_max = metrics.queue_length_max[lane,]
        self._known = 0

    def opened(self, waiting_max: int) -> None:
        """Notes how many may wait."""
        self._waiting_max.set(max(waiting_max, self._waiting_max.value))

    def queued(self, waiting: int) -> float:
        """Notes how many wait after some were added, and answers the moment."""
        self._note_waiting(waiting)
        return perf_counter()

    def began(self, size: int, first_queued_s: float, waiting: int) -> float:
        """Counts a group whose first entry was queued then; answers the moment."""
        now_s = perf_counter()
        self._size.observe(size)
        self._wait_s.observe(now_s - first_queued_s)
        self._note_waiting(waiting)
        self._in_flight.add()
        return now_s

    def ended(self, began_s: float) -> None:
        """Counts a group's end."""
        self._in_flight.add(-1.0)
        self._commit_s.observe(perf_counter() - began_s)

    def _note_waiting(self, waiting: int) -> None:
        # There may be several queues of one lane, as of several modes: each adds its own part.
        self._waiting.add(waiting - self._known)
        self._known = waiting

    def refused(self, reason: str, count: int) -> None:
        """Counts entries that were refused."""
        self._refused[reason].add(count)


class PoolStats:
    """Counts what the database's pool lends."""

    def __init__(self, page: Page) -> None:
        self._connections = page.gauge(
            "recordshop_database_pool_connections",
            "Open connections to the database, by state.",
            state=(IN_USE, IDLE),
        )
        self._max = page.gauge(
            "recordshop_database_pool_connections_max", "Connections that POSTGRES_POOL_SIZE_MAX allows."
        )[()]
        self._waiting = page.gauge("recordshop_database_pool_waiting", "Statements that wait for a connection.")[()]
        self._acquire_s = page.histogram(
            "recordshop_database_acquire_seconds", "Seconds that a statement waited for a connection.", SECONDS
        )[()]
        self._failures = page.counter(
            "recordshop_database_acquire_failures_total",
            "Statements that got no connection: the database was not reached, or all were in use for too long.",
        )[()]

    def opened(self, connections_max: int) -> None:
        """Notes how many connections there may be."""
        self._max.set(connections_max)

    def timed(self, acquire: Callable[[], Awaitable[Connection]]) -> Callable[[], Awaitable[Connection]]:
        """The same `acquire`, counted."""

        async def timed_acquire() -> Connection:
            self._waiting.add()
            began_s = perf_counter()
            try:
                return await acquire()
            except Exception:
                self._failures.add()
                raise
            finally:
                self._waiting.add(-1.0)
                self._acquire_s.observe(perf_counter() - began_s)

        return timed_acquire

    def sample(self, pool: "asyncpg.Pool[Any]") -> None:
        """Notes how many connections there are."""
        size, idle = pool.get_size(), pool.get_idle_size()
        self._connections[IN_USE,].set(size - idle)
        self._connections[IDLE,].set(idle)


class ServiceMetrics:
    """What every service counts. `lanes` are those of its groups; `limits` those that refuse without grouping."""

    def __init__(
        self,
        page: Page,
        *,
        service: str,
        methods: Sequence[Method],
        lanes: Sequence[str] = (),
        limits: Sequence[str] = (),
    ) -> None:
        self.page = page
        self.samples: list[Callable[[], None]] = []
        """What is looked at now and then."""
        self.refusals = page.counter(
            "recordshop_refusals_total",
            "Calls or entries refused with nothing done, by lane and reason.",
            lane=(CALLS, *limits, *lanes),
            reason=REASONS,
        )
        self.calls = CallStats(page, methods, self.refusals[CALLS, OVERLOADED])
        self.pool = PoolStats(page)
        if lanes:
            self._declare_groups(page, lanes)
        self.loop_lag_s = page.histogram(
            "recordshop_event_loop_lag_seconds", "Seconds by which the event loop was late, sampled.", SECONDS
        )[()]
        self.serving = page.gauge("recordshop_serving", "1 while the health answers SERVING, else 0.", Merge.MAX)[()]
        self.workers = page.gauge("recordshop_workers", "Processes that serve the port together.")[()]
        self.worker_deaths = page.counter(
            "recordshop_worker_deaths_total", "Workers that died and were replaced; 0 without workers."
        )[()]
        build = ((service, _version(), platform.python_version()),)
        info = page.gauge_of(
            "recordshop_build_info", "Always 1; the labels tell what runs.", ("service", "version", "python_version"),
            build, Merge.LATEST,
        )  # fmt: skip
        info[build[0]].set(1.0)

    def __bool__(self) -> Literal[True]:
        """So that `metrics and metrics.pool` is the pool's counters, or None."""
        return True

    def _declare_groups(self, page: Page, lanes: Sequence[str]) -> None:
        self.group_size = page.histogram(
            "recordshop_group_size", "Entries of a group when it began, by lane.", GROUP_SIZES, lane=lanes
        )
        self.group_wait_s = page.histogram(
            "recordshop_group_wait_seconds",
            "Seconds that a group's first entry waited for the group to begin, by lane.",
            SECONDS,
            lane=lanes,
        )
        self.group_commit_s = page.histogram(
            "recordshop_group_commit_seconds", "Seconds from a group's begin to its end, by lane.", SECONDS, lane=lanes
        )
        self.groups_in_flight = page.gauge("recordshop_groups_in_flight", "Groups under way, by lane.", lane=lanes)
        self.queue_length = page.gauge(
            "recordshop_queue_length", "Entries that wait for their group, by lane.", lane=lanes
        )
        self.queue_length_max = page.gauge(
            "recordshop_queue_length_max", "Entries that may wait; more are refused.", lane=lanes
        )

    def lane(self, lane: str) -> GroupStats:
        """The counters of one lane."""
        return GroupStats(self, lane)


def _version() -> str:
    try:
        return version("record-shop")
    except PackageNotFoundError:
        return "unknown"
