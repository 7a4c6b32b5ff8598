"""Which settings a service must have before it listens anywhere but on this machine's loopback."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

LOOPBACK_NAME = "localhost"

# None of a group is worth anything without the others, and without TLS.
TLS = ("tls_cert_file", "tls_key_file")
TOKENS = ("token_issuer", "token_audience", "token_keys_file")
NEIGHBOURS = ("mtls_port", "service_sans", "tls_ca_file")
# What a service needs that neighbours call, and one that nobody calls but people.
CALLED_BY_NEIGHBOURS = (*TLS, *TOKENS, *NEIGHBOURS)
CALLED_BY_PEOPLE = (*TLS, *TOKENS, "tls_ca_file")


def is_loopback(host: str) -> bool:
    """Tells whether only this machine reaches a server there; a name other than localhost may be anything."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return bare == LOOPBACK_NAME


def missing(settings: Mapping[str, object], *, needed: Sequence[str]) -> list[str]:
    """Names, as in the environment, the settings that are needed or that others which are given are nothing without."""
    wanted = dict.fromkeys([*needed, *_needed_by_others(settings)])
    return [name.upper() for name in wanted if not settings[name]]


def _needed_by_others(settings: Mapping[str, object]) -> Iterator[str]:
    if any(settings[name] for name in TLS) or settings["tls_ca_file"]:
        yield from TLS
    if any(settings[name] for name in TOKENS):
        yield from TOKENS
    if settings["mtls_port"] or settings["service_sans"]:
        yield from (*TLS, *NEIGHBOURS)
