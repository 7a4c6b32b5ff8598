"""What the catalog counts. Labels are closed sets: never an id, never a caller's text."""

from collections.abc import Iterable, Sequence

from service_runtime.metric_page import Page
from service_runtime.metrics import Method, ServiceMetrics

SINGLES, MULTIPLES, CONTENDING = "singles", "multiples", "contending"
RESERVED, OUT_OF_STOCK = "reserved", "out_of_stock"
OUTCOMES = (RESERVED, OUT_OF_STOCK, "disc_not_found", "disc_deleted")
GROUP, GLANCE = "group", "glance"


class StockStats:
    """Counts reservations when they are decided: each once, however often it is asked for."""

    def __init__(self, page: Page) -> None:
        self._reservations = page.counter(
            "recordshop_reservations_total", "Reservations that were decided, by outcome.", outcome=OUTCOMES
        )
        self._sold_out = page.counter(
            "recordshop_sold_out_refusals_total",
            "Reservations denied because too few copies were left: in a group under the disc's lock, or at a glance.",
            way=(GROUP, GLANCE),
        )

    def decided(self, refusals: Iterable[str | None]) -> None:
        """Counts what a group has just decided: None is a reservation that got its copies, else it is why it got none."""
        reserved = sold_out = 0
        for refusal in refusals:
            if refusal is None:
                reserved += 1
            elif (outcome := refusal.lower()) == OUT_OF_STOCK:
                sold_out += 1
            else:
                self._reservations[outcome,].add()
        self._reservations[RESERVED,].add(reserved)
        self._count_sold_out(sold_out, GROUP)

    def denied(self, count: int) -> None:
        """Counts what was denied at a glance."""
        self._count_sold_out(count, GLANCE)

    def _count_sold_out(self, count: int, way: str) -> None:
        self._reservations[OUT_OF_STOCK,].add(count)
        self._sold_out[way,].add(count)


class CatalogMetrics(ServiceMetrics):
    """All that the catalog counts."""

    def __init__(self, page: Page, methods: Sequence[Method]) -> None:
        super().__init__(page, service="catalog", methods=methods, lanes=(SINGLES, MULTIPLES, CONTENDING))
        self.stock = StockStats(page)
