"""A circuit breaker on a clock that the test moves."""

import pytest

from service_runtime.circuit_breaker import BreakerState, CircuitBreaker

OPEN_S = 10.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures_max=3, open_s=OPEN_S, probes_max=2, clock=clock)


def begun(breaker: CircuitBreaker) -> int:
    era = breaker.begin()
    assert era is not None
    return era


def opened(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        breaker.fail(begun(breaker))
    assert breaker.state is BreakerState.OPEN


def test_it_opens_after_failures_in_a_row_and_not_before(breaker: CircuitBreaker) -> None:
    for _ in range(2):
        breaker.fail(begun(breaker))
    breaker.succeed(begun(breaker))
    for _ in range(2):
        breaker.fail(begun(breaker))
    assert breaker.state is BreakerState.CLOSED
    breaker.fail(begun(breaker))
    assert breaker.state is BreakerState.OPEN


def test_while_it_is_open_nobody_asks(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker)
    clock.now_s += OPEN_S - 0.001
    assert breaker.begin() is None


def test_half_open_it_lets_as_many_through_as_it_may_and_a_success_closes_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    opened(breaker)
    clock.now_s += OPEN_S
    assert breaker.state is BreakerState.HALF_OPEN
    era = begun(breaker)
    begun(breaker)
    assert breaker.begin() is None
    breaker.succeed(era)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.begin() is not None


def test_half_open_one_failure_opens_it_for_as_long_again(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker)
    clock.now_s += OPEN_S
    breaker.fail(begun(breaker))
    assert breaker.state is BreakerState.OPEN
    clock.now_s += OPEN_S - 0.001
    assert breaker.begin() is None
    clock.now_s += 0.001
    assert breaker.begin() is not None


def test_what_was_asked_before_it_changed_says_nothing_any_more(breaker: CircuitBreaker, clock: Clock) -> None:
    early = begun(breaker)
    opened(breaker)
    breaker.succeed(early)
    assert breaker.state is BreakerState.OPEN
    clock.now_s += OPEN_S
    probe = begun(breaker)
    breaker.fail(early)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.succeed(probe)
    assert breaker.state is BreakerState.CLOSED


def test_a_probe_whose_answer_never_comes_does_not_bar_the_others_for_ever(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    opened(breaker)
    clock.now_s += OPEN_S
    lost, other = begun(breaker), begun(breaker)
    breaker.fail(other)
    clock.now_s += OPEN_S
    breaker.succeed(begun(breaker))
    breaker.fail(lost)
    assert breaker.state is BreakerState.CLOSED
