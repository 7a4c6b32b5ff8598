"""Limits are on by themselves where callers sign in, and nothing of them is there where they do not."""

from pathlib import Path
from typing import Any

import pytest

from order_service.settings import OrderSettings
from service_runtime.access import Gate, OpenGate, open_gate
from service_runtime.fair_calls import open_fair_calls
from service_runtime.fair_creates import open_fair_creates
from service_runtime.rate_limit import RateLimit

KEYS = Path(__file__)
POLICY = {
    "tls_cert_file": KEYS,
    "tls_key_file": KEYS,
    "token_issuer": "https://issuer.example",
    "token_audience": "shop",
    "token_keys_file": KEYS,
}
OFF = dict.fromkeys(
    (
        "caller_creates_max_per_s",
        "customer_creates_max_per_s",
        "caller_calls_running_max",
        "connection_age_max_s",
        "connection_idle_max_s",
    ),
    0,
)


def settings(**given: Any) -> OrderSettings:
    return OrderSettings(postgres_user="u", postgres_password="p", postgres_db="d", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{}, OFF, {**POLICY, **OFF}])
def test_without_a_policy_or_by_0_there_are_none(given: dict[str, Any]) -> None:
    found = settings(**given)
    assert (found.caller_creates, found.customer_creates) == (None, None)
    assert (found.calls_of_a_caller_max, found.connection_age_s, found.connection_idle_s) == (0, 0, 0)
    assert not found.tells_callers_apart
    assert open_fair_creates(found) is None
    assert open_fair_calls(found) is None
    if not found.has_policy:
        assert open_gate(found, {}) is None


def test_with_a_policy_they_are_there() -> None:
    found = settings(**POLICY)
    assert found.caller_creates == RateLimit(1_000, 2_000)
    assert found.customer_creates == RateLimit(10, 1_000)
    assert (found.calls_of_a_caller_max, found.connection_age_s, found.connection_idle_s) == (250, 3_600, 900)


@pytest.mark.parametrize("name", ["caller_creates_max_per_s", "caller_calls_running_max"])
def test_what_is_limited_for_each_caller_tells_them_apart_without_a_policy_too(name: str) -> None:
    found = settings(**{name: 5})
    assert found.tells_callers_apart
    assert isinstance(open_gate(found, {}), OpenGate)
    assert not isinstance(open_gate(found, {}), Gate)
