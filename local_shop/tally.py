"""What became of the orders that were placed, as their clients saw it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

RECENT_MAX = 1_000


def percentile_ms(latencies_s: Iterable[float], share: float) -> float:
    """Return the latency that `share` of all did not exceed, in milliseconds (nearest rank); 0 of none."""
    ordered = sorted(latencies_s)
    if not ordered:
        return 0.0
    rank = min(len(ordered) - 1, int(len(ordered) * share))
    return round(ordered[rank] * 1_000, 2)


@dataclass
class Tally:
    """Counts the outcomes of orders; `confirmed` are the ids of those whose client saw them CONFIRMED.

    `failed` were neither confirmed nor refused, after all retries. Latencies are in seconds.
    """

    confirmed: set[UUID] = field(default_factory=set)
    refused: int = 0
    failed: int = 0
    first_failure: str = ""
    latencies_s: list[float] = field(default_factory=list)
    recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))

    @property
    def sold(self) -> int:
        """Orders that were confirmed, of one copy each."""
        return len(self.confirmed)

    @property
    def orders(self) -> int:
        """Orders that have their outcome."""
        return len(self.latencies_s)

    def took(self, seconds: float) -> None:
        """Note how long an order took, whatever became of it."""
        self.latencies_s.append(seconds)
        self.recent_s.append(seconds)
