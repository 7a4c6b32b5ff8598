"""What a run counts: how long nothing was acknowledged, and which acknowledged orders are lost."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from recordshop.order.v1 import order_pb2


@dataclass(frozen=True)
class Acknowledged:
    """An order as a client was told of it, and when (`moment_s`, of a clock that never jumps)."""

    moment_s: float
    order: order_pb2.Order


def longest_silence_s(moments_s: Sequence[float], start_s: float, end_s: float) -> float:
    """Return the longest time without an acknowledgement that overlaps with start_s to end_s; `moments_s` ascend.

    A silence begins with the last acknowledgement before it, also one before start_s. One that has not ended yet counts up to end_s.
    """
    first, last = bisect_left(moments_s, start_s), bisect_right(moments_s, end_s)
    before = [moments_s[first - 1]] if first else [start_s]
    after = [moments_s[last]] if last < len(moments_s) else [end_s]
    bounds = [*before, *moments_s[first:last], *after]
    return max(later - earlier for earlier, later in pairwise(bounds))


def within(acknowledged: Iterable[Acknowledged], start_s: float, end_s: float) -> list[Acknowledged]:
    """Return what was acknowledged from start_s on and before end_s."""
    return [one for one in acknowledged if start_s <= one.moment_s < end_s]


def lost_orders(acknowledged: Iterable[Acknowledged], found: Mapping[str, order_pb2.Order]) -> set[str]:
    """Return the ids of orders that a client was told of and that are not found afterwards, or are with other content."""
    return {one.order.id for one in acknowledged if found.get(one.order.id) != one.order}
