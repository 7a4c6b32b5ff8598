"""Shares of what is created: each caller's, each customer's, and what becomes of them when one is used up."""

from contextvars import copy_context
from uuid import UUID, uuid4

import pytest

from service_runtime.callers import Caller, become
from service_runtime.fair_creates import FairCreates, RateLimited
from service_runtime.rate_limit import RateLimit, RateLimiter

ADA, BOB = uuid4(), uuid4()


def still() -> float:
    return 1_000.0


def shares(*, caller: int | None = None, customer: int | None = None) -> FairCreates:
    """Shares of so many at once, of which one comes back every ten seconds."""
    callers, customers = [
        None if burst is None else RateLimiter(RateLimit(0.1, burst), keys_max=100, clock=still)
        for burst in (caller, customer)
    ]
    return FairCreates(callers=callers, customers=customers)


def charged(by: str, creates: FairCreates, **counts: int) -> dict[UUID, RateLimited]:
    """Charge as another caller would, in a context of their own as each call has."""

    def charge() -> dict[UUID, RateLimited]:
        become(Caller("admin", None, by))
        return creates.charge({{"ada": ADA, "bob": BOB}[name]: count for name, count in counts.items()})

    return copy_context().run(charge)


def test_a_caller_s_share_ends_and_anothers_does_not() -> None:
    creates = shares(caller=3)
    for _ in range(3):
        assert charged("greedy", creates, ada=1) == {}
    with pytest.raises(RateLimited) as refused:
        charged("greedy", creates, bob=1)
    assert refused.value.retry_after_s == pytest.approx(10)
    assert refused.value.metadata == {"retry_after_ms": "10000"}
    assert charged("modest", creates, ada=1) == {}


def test_a_customer_s_share_ends_whoever_asks_and_the_others_in_the_batch_pass() -> None:
    creates = shares(customer=3)
    assert charged("one", creates, ada=2) == {}
    assert charged("two", creates, ada=1) == {}
    assert list(charged("three", creates, ada=1, bob=1)) == [ADA]
    assert list(charged("three", creates, ada=1, bob=2)) == [ADA]
    assert list(charged("three", creates, ada=1, bob=1)) == [ADA, BOB]


def test_what_is_refused_takes_nothing() -> None:
    creates = shares(caller=4, customer=1)
    assert charged("one", creates, ada=1) == {}
    for _ in range(5):
        assert list(charged("one", creates, ada=1)) == [ADA]
    # Three are left of the caller's share, and one of Bob's although the caller is refused.
    assert charged("one", creates, bob=3) == {}
    with pytest.raises(RateLimited):
        charged("one", creates, bob=1)


def test_a_batch_counts_for_as_many_as_it_has() -> None:
    creates = shares(caller=3)
    assert charged("one", creates, ada=5, bob=5) == {}
    with pytest.raises(RateLimited) as refused:
        charged("one", creates, ada=1)
    assert refused.value.retry_after_s == pytest.approx(80)
