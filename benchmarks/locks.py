"""Shops behind TLS, and behind TLS and a caller policy, and how clients get in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_shop.certs import CA_FILE, make_certs, make_token
from local_shop.locked import locked_settings
from local_shop.ports import free_ports

# The role of people who may buy in anybody's name, as the benchmark's one request does.
ROLE = "admin"
TOKEN_MINUTES = 24 * 60
TLS_SETTINGS = ("TLS_CERT_FILE", "TLS_KEY_FILE")
# Shares so large that nobody meets their end: that they are counted is measured too.
LARGE_SHARES = {
    "CALLER_CREATES_MAX_PER_S": "1000000",
    "CUSTOMER_CREATES_MAX_PER_S": "1000000",
    "CALLER_CALLS_RUNNING_MAX": "100000",
}


@dataclass(frozen=True)
class Entrance:
    """How clients get into a shop: by TLS if it has a CA, with a token if there is one."""

    ca: Path | None = None
    token: str = ""


@dataclass(frozen=True)
class Lock:
    """The settings that lock a shop, by service, and how clients get in."""

    settings: Mapping[str, Mapping[str, str]]
    entrance: Entrance


OPEN = Lock({}, Entrance())


def tls_alone(certs: Path) -> Lock:
    """TLS between all, and nobody is asked who they are; `certs` is the folder for certificates."""
    make_certs(certs)
    settings: dict[str, dict[str, str]] = {}
    for service, locked in locked_settings(certs, {}).items():
        names = (*TLS_SETTINGS, "TLS_CA_FILE") if service == "order" else TLS_SETTINGS
        settings[service] = {name: locked[name] for name in names}
    return Lock(settings, Entrance(certs / CA_FILE))


def tls_and_tokens(certs: Path) -> Lock:
    """The shop as it is locked beyond one machine: callers show tokens, and services their certificates."""
    make_certs(certs)
    mtls_ports = dict(zip(("catalog", "customer"), free_ports(2), strict=True))
    token = make_token(certs, role=ROLE, subject="bench", minutes=TOKEN_MINUTES)
    settings = locked_settings(certs, mtls_ports)
    settings["order"] |= LARGE_SHARES
    return Lock(settings, Entrance(certs / CA_FILE, token))
