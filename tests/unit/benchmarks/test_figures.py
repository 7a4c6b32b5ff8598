"""Figures are medians over rounds that count, and ratios are made round by round."""

import pytest

from benchmarks.figures import RatioSpec, Spread, counted_by_row, cpu_medians, median_rate, ratios
from benchmarks.rounds import Round, nearest_rank
from tests.unit.benchmarks.measurements import a_round

VS_PGBENCH = RatioSpec("vs_pgbench", "unary", "pgbench", "baselines")


def both(number: int, unary: int, pgbench: int, **how: str) -> list[Round]:
    return [a_round("unary", orders=unary, number=number, **how), a_round("pgbench", orders=pgbench, number=number)]


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    # The machine was slow in the second round: the ratio of the medians would be 4.
    rounds = both(1, 400, 100) + both(2, 100, 50) + both(3, 900, 180)
    spread = ratios(rounds, [VS_PGBENCH])["vs_pgbench"]
    assert spread == Spread(median=4.0, low=2.0, high=5.0, rounds=3)
    rounds = both(1, 400, 100) + both(2, 100, 10) + both(3, 900, 180)
    assert ratios(rounds, [VS_PGBENCH])["vs_pgbench"] == Spread(median=5.0, low=4.0, high=10.0, rounds=3)


def test_a_round_that_does_not_count_takes_its_partner_with_it() -> None:
    rounds = both(1, 400, 100) + both(2, 9_999, 1, fault="orders are missing")
    assert ratios(rounds, [VS_PGBENCH])["vs_pgbench"] == Spread(median=4.0, low=4.0, high=4.0, rounds=1)
    assert len(counted_by_row(rounds)["unary"]) == 1


def test_rounds_of_another_block_are_not_compared() -> None:
    elsewhere = [
        a_round("unary", orders=900, block="grouping"),
        a_round("unary", orders=900, block="grouping", number=2),
    ]
    rounds = [*elsewhere, *both(1, 400, 100)]
    assert ratios(rounds, [VS_PGBENCH])["vs_pgbench"] == Spread(median=4.0, low=4.0, high=4.0, rounds=1)


def test_without_a_round_that_counts_there_is_no_figure() -> None:
    assert ratios([a_round("unary")], [VS_PGBENCH]) == {"vs_pgbench": None}
    assert median_rate([]) == 0.0
    assert Spread.of([]) is None


def test_a_rate_is_orders_by_seconds() -> None:
    assert a_round(orders=300, seconds=1.5).orders_per_s == pytest.approx(200.0)
    assert median_rate([a_round(orders=orders) for orders in (100, 900, 300)]) == pytest.approx(300.0)


def test_cpu_time_is_the_median_by_process() -> None:
    assert cpu_medians([a_round(), a_round()]) == {"order_service": 300.0}


@pytest.mark.parametrize(("share", "rank"), [(0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_a_latency_that_somebody_had(share: float, rank: float) -> None:
    assert nearest_rank(list(range(100, 0, -1)), share) == rank
    assert nearest_rank([], share) == 0.0
