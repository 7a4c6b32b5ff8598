"""What the order service counts. Labels are closed sets: never an id, never a caller's text."""

from collections.abc import Callable, Iterable, Sequence

from order_service.model import Order, OrderStatus
from service_runtime.errors import ServiceError
from service_runtime.metric_page import Merge, Page
from service_runtime.metrics import Method, ServiceMetrics

SINGLES, BULK, SETTLING, CANCELS = "singles", "bulk", "settling", "cancels"
BREAKER_STATES = ("closed", "open", "half_open")

# How an order ends, counted when this process wrote it down: once for each order.
CONFIRMED, CANCELLED = "confirmed", "cancelled"
REJECTED = ("out_of_stock", "disc_not_found", "disc_deleted", "customer_inactive")
# How a placement ends that left no decided order behind, counted for each: a repeated request may be counted again.
UNDECIDED = ("pending", "aborted", "customer_not_found", "request_id_reused", "not_accepted", "overloaded", "failed")
OUTCOMES = (CONFIRMED, *REJECTED, CANCELLED, *UNDECIDED)
OUTCOME_BY_REASON = {
    "ORDER_PENDING": "pending",
    "CONFLICT_RETRIES_EXHAUSTED": "aborted",
    "CUSTOMER_NOT_FOUND": "customer_not_found",
    "REQUEST_ID_REUSED": "request_id_reused",
    "NOT_ACCEPTED": "not_accepted",
    "OVERLOADED": "overloaded",
}

IDLE_RUN, WORKED, UNAVAILABLE, FAILED = RUN_RESULTS = ("idle", "worked", "unavailable", "failed")


class OrderStats:
    """Counts orders."""

    def __init__(self, page: Page) -> None:
        self._orders = page.counter(
            "recordshop_orders_total",
            "Orders by outcome: each decided or cancelled one once, and placements that ended without a decision.",
            outcome=OUTCOMES,
        )
        self._copies_sold = page.counter("recordshop_copies_sold_total", "Copies on orders that were confirmed.")[()]

    def ended(self, orders: Iterable[Order]) -> None:
        """Counts orders that this process has just decided or cancelled."""
        confirmed = copies = 0
        for order in orders:
            if order.status is OrderStatus.CONFIRMED:
                confirmed += 1
                copies += sum([line.quantity for line in order.lines])
            elif order.reason is not None:
                self._orders[order.reason.lower(),].add()
            elif order.status is OrderStatus.CANCELLED:
                self._orders[CANCELLED,].add()
        self._orders[CONFIRMED,].add(confirmed)
        self._copies_sold.add(copies)

    def placed(self, outcomes: Iterable[Order | ServiceError]) -> None:
        """Counts, of a group's outcomes, those that are no order."""
        for outcome in outcomes:
            if isinstance(outcome, ServiceError):
                self._orders[OUTCOME_BY_REASON.get(outcome.reason, "failed"),].add()


class RecoveryStats:
    """Counts what recovery does."""

    def __init__(self, page: Page) -> None:
        self._runs = page.counter(
            "recordshop_recovery_runs_total", "Sweeps of the journal, by result.", result=RUN_RESULTS
        )
        self._orders = page.counter(
            "recordshop_recovered_orders_total", "Open orders that recovery drove to their end."
        )[()]
        self._still_open = page.counter(
            "recordshop_recovery_still_open_total", "Rows of the journal that recovery could not close yet."
        )[()]

    def ran(self, result: str) -> None:
        """Counts a sweep."""
        self._runs[result,].add()

    def recovered(self, count: int) -> None:
        """Counts orders that came to their end."""
        self._orders.add(count)

    def still_open(self) -> None:
        """Counts a row that stays in the journal."""
        self._still_open.add()


class OpenWorkStats:
    """Says how much is open, and since when."""

    def __init__(self, page: Page) -> None:
        self._oldest_age_s = page.gauge(
            "recordshop_oldest_open_order_age_seconds",
            "Age of the oldest row in the journal of open work and in the queue; 0 if there is none.",
            Merge.MAX,
        )[()]
        self._rows = page.gauge(
            "recordshop_open_work_rows", "Rows in the journal of open work and in the queue.", Merge.MAX
        )[()]

    def found(self, rows: int, oldest_age_s: float) -> None:
        """Notes what the journal holds."""
        self._rows.set(rows)
        self._oldest_age_s.set(oldest_age_s)


class AuditStats:
    """Says what the last audit found."""

    def __init__(self, page: Page) -> None:
        self._disagreeing = page.gauge(
            "recordshop_audit_disagreeing_discs",
            "Discs that DISAGREE in the last AuditStock of all discs, or in a later one of some if that found more.",
            Merge.LATEST,
        )[()]
        self._end_time_s = page.gauge(
            "recordshop_audit_last_timestamp_seconds",
            "When the last AuditStock of all discs ended, as Unix time; 0 if there was none.",
            Merge.LATEST,
        )[()]

    def found(self, disagreeing: int, *, end_time_s: float | None) -> None:
        """Takes an audit's result. One without end_time_s was not of all discs, or was broken off: it can only make it worse."""
        if end_time_s is not None:
            self._disagreeing.set(disagreeing)
            self._end_time_s.set(end_time_s)
        elif disagreeing > self._disagreeing.value:
            self._disagreeing.set(disagreeing)


class OrderMetrics(ServiceMetrics):
    """All that the order service counts."""

    def __init__(self, page: Page, methods: Sequence[Method]) -> None:
        super().__init__(page, service="order", methods=methods, lanes=(SINGLES, BULK, SETTLING), limits=(CANCELS,))
        self.orders = OrderStats(page)
        self.recovery = RecoveryStats(page)
        self.open_work = OpenWorkStats(page)
        self.audit = AuditStats(page)
        self._queued = page.gauge(
            "recordshop_queued_orders", "Async orders that wait in the queue for their decision.", Merge.MAX
        )[()]
        self._breaker = page.gauge(
            "recordshop_circuit_breaker_state",
            "1 for the state that the breaker in front of the catalog is in, of each worker; it guards hybrid orders.",
            state=BREAKER_STATES,
        )

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Looks now and then how many orders wait in the queue."""
        self.samples.append(lambda: self._queued.set(waiting()))

    def watch_breaker(self, state: Callable[[], str]) -> None:
        """Looks now and then in which state the breaker is."""

        def sample() -> None:
            now = state()
            for name in BREAKER_STATES:
                self._breaker[name,].set(name == now)

        self.samples.append(sample)
