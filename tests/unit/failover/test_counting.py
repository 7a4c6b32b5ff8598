"""What a failover run counts."""

import pytest

from recordshop.order.v1 import order_pb2
from tests.failover.counting import Acknowledged, longest_silence_s, lost_orders, within

CONFIRMED = order_pb2.ORDER_STATUS_CONFIRMED


def told(order_id: str, *, total_cents: int = 100, moment_s: float = 0.0) -> Acknowledged:
    return Acknowledged(moment_s, order_pb2.Order(id=order_id, status=CONFIRMED, total_cents=total_cents))


@pytest.mark.parametrize(
    ("moments_s", "silence_s"),
    [
        ([9, 10, 12, 14, 16, 19, 31], 12),  # The silence that was on when the window ended.
        ([9, 10, 18, 19, 20, 21], 8),
        ([4, 19, 20, 21], 15),  # It began before the window.
        ([4, 21, 22], 17),  # Over all of it.
        ([1, 9, 10, 12, 14, 16, 18, 20, 21], 2),  # One that was over before does not count.
        ([10, 12], 8),  # Nothing since: as long as is known.
        ([], 10),
    ],
)
def test_the_longest_silence_is_that_which_a_caller_met(moments_s: list[float], silence_s: float) -> None:
    assert longest_silence_s(moments_s, 10, 20) == silence_s


def test_an_order_is_lost_if_it_is_not_there_or_is_another_one() -> None:
    acknowledged = [told("kept"), told("gone"), told("changed"), told("cancelled")]
    found = {
        "kept": told("kept").order,
        "changed": told("changed", total_cents=200).order,
        "cancelled": order_pb2.Order(id="cancelled", status=order_pb2.ORDER_STATUS_CANCELLED, total_cents=100),
        "never told": told("never told").order,
    }
    assert lost_orders(acknowledged, found) == {"gone", "changed", "cancelled"}


def test_an_order_that_was_told_in_two_ways_is_lost_in_one_of_them() -> None:
    acknowledged = [told("order", total_cents=100), told("order", total_cents=200)]
    for kept in acknowledged:
        assert lost_orders(acknowledged, {"order": kept.order}) == {"order"}


def test_each_acknowledgement_belongs_to_the_event_that_it_came_in() -> None:
    acknowledged = [told(str(moment_s), moment_s=moment_s) for moment_s in (9, 10, 15, 20)]
    assert [one.moment_s for one in within(acknowledged, 10, 20)] == [10, 15]
    assert [one.moment_s for one in within(acknowledged, 20, 30)] == [20]
