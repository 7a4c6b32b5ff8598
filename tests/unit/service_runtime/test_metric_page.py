"""Pages of metrics: what is counted, and what several pages come to together."""

import math
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from local_shop.scrape import Scrape
from service_runtime.metric_export import PagesCollector
from service_runtime.metric_page import PAGE_SIZE_BYTES, Merge, Page

BOUNDS = (0.1, 1.0)


class Pages:
    """Two pages with the same declarations."""

    def __init__(self) -> None:
        self.pages = [Page(), Page()]
        self.sold = [page.counter("sold_total", "Sold.", lane=("a", "b")) for page in self.pages]
        self.queue = [page.gauge("queue_length", "Waiting.")[()] for page in self.pages]
        self.age = [page.gauge("age_seconds", "Oldest.", Merge.MAX)[()] for page in self.pages]
        self.audit = [page.gauge("audit_discs", "Wrong.", Merge.LATEST)[()] for page in self.pages]
        self.took = [page.histogram("took_seconds", "Took.", BOUNDS)[()] for page in self.pages]
        self.odd = [
            page.counter_of("odd_total", "Odd.", ("code",), [("OK",), ("LOST",)], rare=[("LOST",)])
            for page in self.pages
        ]

    def scrape(self) -> Scrape:
        return Scrape.of(exposition(self.pages))


def exposition(pages: Sequence[Page]) -> str:
    registry = CollectorRegistry()
    registry.register(PagesCollector(pages))
    return generate_latest(registry).decode()


@pytest.fixture
def two() -> Pages:
    return Pages()


def test_counters_and_gauges_of_several_workers_are_added_up(two: Pages) -> None:
    for number in (0, 1):
        two.sold[number]["a",].add(number + 1)
        two.queue[number].set(10)
    seen = two.scrape()
    assert seen.total("sold_total", lane="a") == 3
    assert seen.total("sold_total", lane="b") == 0
    assert seen.total("queue_length") == 20


def test_of_ages_the_oldest_counts_and_of_audits_the_last_one(two: Pages) -> None:
    two.age[0].set(7.0)
    two.age[1].set(3.0)
    two.audit[1].set(5)
    two.audit[0].set(0)
    assert two.scrape().total("age_seconds") == 7.0
    assert two.scrape().total("audit_discs") == 0
    two.audit[1].set(2)
    assert two.scrape().total("audit_discs") == 2


def test_a_histogram_counts_up_to_and_with_each_bound_and_adds_up_workers(two: Pages) -> None:
    for number, values in enumerate(((0.05, 0.1, 0.5), (1.0, 99.0))):
        for value in values:
            two.took[number].observe(value)
    seen = two.scrape()
    assert seen.buckets("took_seconds") == {0.1: 2, 1.0: 4, math.inf: 5}
    assert seen.total("took_seconds_count") == 5
    assert seen.total("took_seconds_sum") == pytest.approx(100.65)


def test_what_a_dead_worker_had_under_way_is_forgotten_and_what_it_counted_is_not(two: Pages) -> None:
    two.sold[0]["a",].add(4)
    two.took[0].observe(0.2)
    two.queue[0].set(9)
    two.age[0].set(9)
    two.audit[0].set(1)
    two.pages[0].forget_gauges()
    seen = two.scrape()
    assert seen.total("sold_total") == 4
    assert seen.total("took_seconds_count") == 1
    assert seen.total("queue_length") == seen.total("age_seconds") == 0
    assert seen.total("audit_discs") == 1


def test_rare_children_are_told_of_from_their_first_use_on(two: Pages) -> None:
    assert 'code="OK"' in exposition(two.pages)
    assert 'code="LOST"' not in exposition(two.pages)
    two.odd[1]["LOST",].add()
    assert two.scrape().total("odd_total", code="LOST") == 1


def test_metrics_that_do_not_fit_are_a_mistake_that_is_told() -> None:
    page = Page()
    places = PAGE_SIZE_BYTES // 8
    page.counter("fits_total", "Fits.", number=[str(number) for number in range(places)])
    with pytest.raises(ValueError, match="one_more_total does not fit"):
        page.counter("one_more_total", "One more.")
