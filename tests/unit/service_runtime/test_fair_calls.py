"""Calls that run at once: each caller has so many, over all connections."""

from contextvars import copy_context

import pytest

from service_runtime.callers import Caller, become, somebody_at
from service_runtime.fair_calls import FairCalls, TooManyCalls


def began(calls: FairCalls, caller: Caller) -> str:
    def begin() -> str:
        become(caller)
        return calls.begin()

    return copy_context().run(begin)


ADA, BOB = Caller("customer", None, "customer:ada"), Caller("customer", None, "customer:bob")
ORDERS = Caller("service:order", None, "service:order")


def test_beyond_its_share_a_caller_is_refused_until_a_call_ends() -> None:
    calls = FairCalls(running_max=2)
    first, _ = began(calls, ADA), began(calls, ADA)
    for _ in range(3):
        with pytest.raises(TooManyCalls) as refused:
            began(calls, ADA)
        assert refused.value.retry_after_s
    assert began(calls, BOB) == BOB.name
    calls.end(first)
    assert began(calls, ADA) == ADA.name
    with pytest.raises(TooManyCalls):
        began(calls, ADA)


def test_callers_who_have_gone_leave_nothing_behind() -> None:
    calls = FairCalls(running_max=1)
    for number in range(100):
        calls.end(began(calls, Caller("customer", None, f"customer:{number}")))
    assert len(calls) == 0


def test_services_are_not_limited() -> None:
    calls = FairCalls(running_max=1)
    assert [began(calls, ORDERS) for _ in range(10)] == [ORDERS.name] * 10


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("ipv4:10.0.0.7:50312", "peer:10.0.0.7"),
        ("ipv4:10.0.0.7:1", "peer:10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:50312", "peer:2001:db8::/64"),
        ("ipv6:[2001:db8::7]:50312", "peer:2001:db8::/64"),
        ("ipv6:%5B2001:db8::ffff:1%5D:2", "peer:2001:db8::/64"),
        ("ipv6:%5B2001:db8:0:1::7%5D:2", "peer:2001:db8:0:1::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:2", "peer:fe80::/64"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:2", "peer:10.0.0.7"),
        ("unix:", "peer:unix:"),
    ],
)
def test_somebody_is_known_by_the_address_and_not_by_the_connection(peer: str, name: str) -> None:
    assert somebody_at(peer) == Caller("somebody", None, name)
