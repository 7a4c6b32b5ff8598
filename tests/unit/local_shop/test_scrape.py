"""What a console makes of two readings of a service's metrics."""

import pytest

from local_shop.scrape import Change, Scrape

FAMILY = '# TYPE sold_total counter\nsold_total{{lane="a"}} {a}\nsold_total{{lane="b"}} {b}\n'


def reading(at_s: float, text: str) -> Scrape:
    return Scrape(at_s, Scrape.of(text).samples)


def sold(at_s: float, a: int, b: int) -> Scrape:
    return reading(at_s, FAMILY.format(a=a, b=b))


def histogram(at_s: float, *counts: int, total_s: float = 0.0) -> Scrape:
    bounds = ("0.1", "0.2", "+Inf")
    lines = [f'took_seconds_bucket{{le="{bound}"}} {count}' for bound, count in zip(bounds, counts, strict=True)]
    head = "# TYPE took_seconds histogram\n"
    return reading(
        at_s, head + "\n".join([*lines, f"took_seconds_count {counts[-1]}", f"took_seconds_sum {total_s}", ""])
    )


def test_a_rate_is_of_those_samples_that_have_the_labels() -> None:
    change = Change(sold(10.0, 5, 1), sold(12.0, 9, 7))
    assert change.rate("sold_total", lane="a") == 2.0
    assert change.rate("sold_total") == 5.0
    assert change.rate("nothing_total") == 0.0


def test_a_service_that_began_anew_has_counted_from_zero() -> None:
    assert Change(sold(10.0, 500, 0), sold(11.0, 3, 0)).rate("sold_total", lane="a") == 3.0
    restarted = Change(histogram(0.0, 50, 50, 50), histogram(1.0, 0, 2, 2))
    assert restarted.quantile_ms("took_seconds", 0.5) == pytest.approx(150.0)


def test_a_quantile_is_of_what_came_in_between_alone() -> None:
    change = Change(histogram(0.0, 100, 100, 100), histogram(1.0, 100, 110, 110))
    assert change.quantile_ms("took_seconds", 0.5) == pytest.approx(150.0)
    assert change.quantile_ms("took_seconds", 1.0) == pytest.approx(200.0)
    assert Change(histogram(0.0, 0, 0, 0), histogram(1.0, 4, 4, 4)).quantile_ms("took_seconds", 0.5) == pytest.approx(
        50.0
    )


def test_what_is_above_all_bounds_is_told_as_the_highest_bound() -> None:
    change = Change(histogram(0.0, 0, 0, 0), histogram(1.0, 0, 0, 3))
    assert change.quantile_ms("took_seconds", 0.99) == pytest.approx(200.0)


def test_of_nothing_there_is_no_quantile_and_no_mean() -> None:
    change = Change(histogram(0.0, 1, 1, 1), histogram(1.0, 1, 1, 1))
    assert change.quantile_ms("took_seconds", 0.5) is None
    assert change.mean("took_seconds") is None
    assert Change(histogram(0.0, 0, 0, 0), histogram(1.0, 1, 2, 2, total_s=0.5)).mean("took_seconds") == 0.25
