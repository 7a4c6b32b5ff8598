"""A service listens beyond loopback only with TLS and a caller policy, or when it is told that it need not."""

import base64
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from catalog_service.settings import CatalogSettings
from customer_service.settings import CustomerSettings
from order_service.settings import OrderSettings
from service_runtime.settings import load_settings

DATABASE = {"POSTGRES_USER": "nobody", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "nothing"}
FILES = ("TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CA_FILE", "TOKEN_KEYS_FILE")
TOKENS = {"TOKEN_ISSUER": "https://issuer", "TOKEN_AUDIENCE": "shop"}
DOCUMENT_KEY = "DOCUMENT_KEY_FILE"
NEIGHBOURS = {"MTLS_PORT": "50061", "SERVICE_SANS": "order=spiffe://record-shop/order"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (CatalogSettings, CustomerSettings, OrderSettings):
        for name in kind.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
    for name, value in DATABASE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A file for each setting that wants one."""
    for name in FILES:
        (tmp_path / name).touch()
    (tmp_path / DOCUMENT_KEY).write_bytes(base64.b64encode(bytes(range(32))))
    return {name: str(tmp_path / name) for name in (*FILES, DOCUMENT_KEY)}


def refusal(kind: type[BaseSettings], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        load_settings(kind)
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "[::]", "192.0.2.7", "shop.internal"])
@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        (CatalogSettings, {*FILES, *TOKENS, *NEIGHBOURS}),
        (CustomerSettings, {*FILES, *TOKENS, *NEIGHBOURS, DOCUMENT_KEY}),
        (OrderSettings, {*FILES, *TOKENS}),
    ],
)
def test_beyond_loopback_all_missing_settings_are_named_and_nothing_starts(  # noqa: PLR0917 - fixtures.
    kind: type[BaseSettings],
    needed: set[str],
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
) -> None:
    monkeypatch.setenv("BIND_ADDRESS", address)
    said = refusal(kind, capsys)
    assert {name for name in (*FILES, *TOKENS, *NEIGHBOURS, DOCUMENT_KEY) if name in said} == needed
    assert "ALLOW_INSECURE=true" in said
    given = {**files, **TOKENS, **NEIGHBOURS}
    for left_out in needed:
        for name in given:
            monkeypatch.delenv(name, raising=False)
        for name in needed - {left_out}:
            monkeypatch.setenv(name, given[name])
        assert left_out in refusal(kind, capsys)
    monkeypatch.setenv(left_out, given[left_out])
    assert not load_settings(kind).is_insecure_outside  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"])
def test_on_loopback_nothing_is_needed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIND_ADDRESS", address)
    settings = load_settings(CatalogSettings)
    assert not settings.is_insecure_outside
    assert not settings.has_policy


def test_allow_insecure_is_the_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIND_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("ALLOW_INSECURE", "true")
    assert load_settings(CatalogSettings).is_insecure_outside


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("TLS_CERT_FILE", "TLS_KEY_FILE"),
        ("TLS_KEY_FILE", "TLS_CERT_FILE"),
        ("TLS_CA_FILE", "TLS_CERT_FILE"),
        ("TOKEN_ISSUER", "TOKEN_AUDIENCE"),
        ("TOKEN_AUDIENCE", "TOKEN_KEYS_FILE"),
        ("TOKEN_KEYS_FILE", "TOKEN_ISSUER"),
        ("MTLS_PORT", "SERVICE_SANS"),
        ("SERVICE_SANS", "TLS_CA_FILE"),
    ],
)
def test_half_a_lock_does_not_start_on_loopback_either_or_insecurely(
    given: str,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
) -> None:
    monkeypatch.setenv(given, {**files, **TOKENS, **NEIGHBOURS}[given])
    assert missing in refusal(CatalogSettings, capsys)
    monkeypatch.setenv("BIND_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("ALLOW_INSECURE", "true")
    assert missing in refusal(CatalogSettings, capsys)


def test_verifying_postgres_needs_what_it_is_verified_by(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSTGRES_SSLMODE", "verify-full")
    assert "POSTGRES_SSLROOTCERT_FILE" in refusal(CatalogSettings, capsys)
