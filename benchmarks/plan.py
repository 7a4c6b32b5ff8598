"""How much is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CLIENTS = 90
# The audits and the end of the last part come on top.
QUICK_BUDGET_S = 115.0
POOL_SIZES = (8, 16, 32)
QUICK_BATCHES = {1_000: (4,)}
BATCHES = {100: (1, 4, 8), 1_000: (1, 4, 8)}
CROWDS = (1, 8, 32, 90, 256, 1_000)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Rounds that have to count, and how long or how large they are.

    Each part of the run has its share of `budget_s`, counted from the start; beyond that `rounds_min` are enough.

    `batches` are numbers of callers by orders in a call; `streams` are numbers of streams at once, each of `stream_messages`. The others
    are for a full run: `crowds` of other numbers of clients, `spread` over many discs, single callers `beside` batches, and `rows_filled`,
    orders that a shop has before its first one.
    """

    quick: bool
    rounds: int
    rounds_min: int = 3
    budget_s: float = float("inf")
    rounds_alone: int = 15
    rounds_pool: int = 1
    rounds_other_client: int = 1
    round_s: float
    round_alone_s: float = 0.5
    calls_max: int = 200_000
    clients: int = CLIENTS
    pool_sizes: Sequence[int] = POOL_SIZES
    batches: Mapping[int, Sequence[int]] = field(default_factory=lambda: QUICK_BATCHES)
    streams: Sequence[int] = ()
    stream_messages: int = 50
    locks: bool = False
    crowds: Sequence[int] = ()
    spread: bool = False
    beside: bool = False
    rows_filled: int = 0
    customers: int = 1_000
    discs: int = 1_000


def quick_plan() -> Plan:
    """What fits into three minutes."""
    return Plan(quick=True, rounds=5, budget_s=QUICK_BUDGET_S, round_s=1.5)


def full_plan() -> Plan:
    """All there is."""
    return Plan(
        quick=False,
        rounds=5,
        rounds_other_client=3,
        round_s=2.0,
        round_alone_s=1.0,
        batches=BATCHES,
        streams=(1, 4),
        locks=True,
        crowds=CROWDS,
        spread=True,
        beside=True,
        rows_filled=5_000_000,
    )


def smallest_plan() -> Plan:
    """A few hundred calls of each row, to see that all is measured; its figures mean nothing."""
    return Plan(
        quick=False,
        rounds=2,
        rounds_alone=2,
        round_s=0.1,
        round_alone_s=0.1,
        calls_max=200,
        pool_sizes=(8, 16),
        batches={100: (1, 2), 1_000: (1,)},
        streams=(1, 2),
        stream_messages=2,
        locks=True,
        crowds=(8, 90),
        spread=True,
        beside=True,
        rows_filled=2_000,
        customers=50,
        discs=20,
    )
