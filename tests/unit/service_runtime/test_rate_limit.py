"""Token buckets: what they let through, what they owe, and how many of them there are."""

import pytest

from service_runtime.rate_limit import RateLimit, RateLimiter


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(clock: Clock, *, max_per_s: float = 2, burst: int = 3, keys_max: int = 100) -> RateLimiter:
    return RateLimiter(RateLimit(max_per_s, burst), keys_max=keys_max, clock=clock)


def taken_until_refused(buckets: RateLimiter, key: str) -> int:
    for count in range(1_000):
        if buckets.wait_s(key):
            return count
        buckets.take(key)
    raise AssertionError("never refused")


def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(clock: Clock) -> None:
    buckets = limiter(clock)
    assert taken_until_refused(buckets, "ada") == 3
    assert buckets.wait_s("ada") == pytest.approx(0.5)
    clock.now_s += 0.25
    assert buckets.wait_s("ada") == pytest.approx(0.25)
    clock.now_s += 0.25
    assert taken_until_refused(buckets, "ada") == 1


def test_one_key_takes_nothing_from_another(clock: Clock) -> None:
    buckets = limiter(clock)
    assert taken_until_refused(buckets, "ada") == 3
    assert taken_until_refused(buckets, "bob") == 3


def test_no_more_than_the_burst_is_saved_up(clock: Clock) -> None:
    buckets = limiter(clock)
    assert taken_until_refused(buckets, "ada") == 3
    clock.now_s += 3_600
    assert taken_until_refused(buckets, "ada") == 3


def test_in_the_long_run_no_more_is_taken_than_the_rate(clock: Clock) -> None:
    buckets = limiter(clock)
    taken = 0
    for _ in range(10_000):
        if not buckets.wait_s("ada"):
            buckets.take("ada")
            taken += 1
        clock.now_s += 0.01
    assert taken == pytest.approx(100 * 2 + 3, abs=1)


def test_a_batch_is_let_in_whole_and_paid_for_before_the_next_one(clock: Clock) -> None:
    buckets = limiter(clock)
    buckets.take("ada", 100)
    # 97 are owed, and one must be there.
    assert buckets.wait_s("ada") == pytest.approx(98 / 2)
    clock.now_s += 98 / 2 - 0.001
    assert buckets.wait_s("ada") > 0
    clock.now_s += 0.002
    assert buckets.wait_s("ada") == 0


def test_no_more_buckets_are_kept_than_the_limit_and_the_one_that_took_last_stays(clock: Clock) -> None:
    buckets = limiter(clock, keys_max=10)
    for number in range(1_000):
        buckets.take("greedy", 3)
        buckets.take(str(number))
        assert len(buckets) <= 10
    assert buckets.wait_s("greedy") > 0


def test_full_buckets_are_forgotten(clock: Clock) -> None:
    buckets = limiter(clock)
    for number in range(50):
        buckets.take(str(number))
    clock.now_s += 10
    for _ in range(60):
        buckets.take("ada")
    assert len(buckets) == 1
    assert buckets.wait_s("ada") > 0
