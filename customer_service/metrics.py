"""What the customer service counts: what every service does."""

from collections.abc import Sequence

from service_runtime.metric_page import Page
from service_runtime.metrics import Method, ServiceMetrics


class CustomerMetrics(ServiceMetrics):
    """All that the customer service counts."""

    def __init__(self, page: Page, methods: Sequence[Method]) -> None:
        super().__init__(page, service="customer", methods=methods)
