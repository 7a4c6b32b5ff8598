"""How much somebody may ask for in a time."""

import time
from collections.abc import Callable, Hashable
from typing import NamedTuple


class RateLimit(NamedTuple):
    """Things a second in the long run, and how many of them at once by whoever has asked for none for a while."""

    max_per_s: float
    burst: int


class RateLimiter:
    """Token buckets, one for each key: a bucket holds `burst` tokens, and max_per_s come back each second until it is full.

    Who has one token left may take more than there are, and owes the rest: a batch is never too large to be let in, and is paid for before
    the next one. Of a bucket nothing is kept but the moment at which it is full again. No more than keys_max moments are kept; then the key
    that took longest ago is forgotten, and has a full bucket again: as it had anyway, unless keys_max others took while it was filling up.
    """

    def __init__(self, limit: RateLimit, *, keys_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._token_s = 1 / limit.max_per_s
        # How far ahead the moment may lie of somebody who has one token left.
        self._last_token_s = (limit.burst - 1) * self._token_s
        self._keys_max = keys_max
        self._clock = clock
        # In the order in which they took last.
        self._full_at_s: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._full_at_s)

    def wait_s(self, key: Hashable) -> float:
        """Answers in how many seconds the key has a token; 0 if it has one."""
        full_at_s = self._full_at_s.get(key)
        return 0.0 if full_at_s is None else max(0.0, full_at_s - self._last_token_s - self._clock())

    def take(self, key: Hashable, count: int = 1) -> None:
        """Takes tokens, whether the key has them or not."""
        now_s = self._clock()
        self._full_at_s[key] = max(self._full_at_s.pop(key, now_s), now_s) + count * self._token_s
        self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        """Forgets full buckets, two at most so that nobody waits for it, and one that is not if there are too many."""
        for _ in range(2):
            oldest = next(iter(self._full_at_s))
            if len(self._full_at_s) <= self._keys_max and self._full_at_s[oldest] > now_s:
                return
            del self._full_at_s[oldest]
