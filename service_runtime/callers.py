"""Who calls: a person by a signed token, a service by its certificate, or somebody at an address."""

from collections.abc import Mapping
from contextvars import ContextVar
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote
from uuid import UUID

import grpc

from service_runtime.access_errors import CallerUnknown, CertificateUnknown
from service_runtime.roles import SERVICE_PREFIX

if TYPE_CHECKING:
    from service_runtime.tokens import Tokens

Context = grpc.aio.ServicerContext[Any, Any]
AUTHORIZATION = "authorization"
BEARER = "bearer "
# From gRPC's grpc_security_constants.h: what it has read from a certificate that the CA signed.
PEER_NAMES = ("peer_uri", "peer_dns")
# One who has an IPv6 address has as many as they like of its network.
IPV6_NETWORK_BITS = 64


class Caller(NamedTuple):
    """What a caller is, `customer` or `service:order`, for a customer whose data are theirs, and a name that no other caller has."""

    kind: str
    customer_id: UUID | None
    name: str


# Set for each call where callers are told apart, and nowhere else.
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def owner() -> UUID | None:
    """The customer whose data alone the call may see and make; None where it may see everybody's, or nobody asks who calls."""
    caller = _caller.get()
    return None if caller is None else caller.customer_id


def is_service() -> bool:
    """Whether a service calls, by its certificate, and no person; not where nobody asks who calls."""
    caller = _caller.get()
    return caller is not None and caller.kind.startswith(SERVICE_PREFIX)


def caller_name() -> str:
    """The name of the call's caller; empty where nobody asks, or as long as nobody knows."""
    caller = _caller.get()
    return "" if caller is None else caller.name


def become(caller: Caller) -> None:
    """Makes what the call's task does from now on the caller's doing."""
    _caller.set(caller)


class Callers:
    """Tells who calls, or that nobody knows."""

    def __init__(self, *, tokens: "Tokens | None", services_by_san: Mapping[str, str]) -> None:
        self._tokens = tokens
        kinds = {san: SERVICE_PREFIX + name for san, name in services_by_san.items()}
        self._services = {san: Caller(kind, None, kind) for san, kind in kinds.items()}

    def of(self, context: Context) -> Caller:
        """Answers the caller; raises CallerUnknown, TokenInvalid, TokenExpired or CertificateUnknown."""
        for key, value in context.invocation_metadata() or ():
            if key == AUTHORIZATION:
                return self._of_token(str(value))
        return self._of_certificate(context.auth_context())

    def _of_token(self, header: str) -> Caller:
        if self._tokens is None or header[: len(BEARER)].lower() != BEARER:
            raise CallerUnknown
        claims = self._tokens.verified(header[len(BEARER) :])
        return Caller(claims.role, claims.customer_id, f"{claims.role}:{claims.customer_id or claims.subject}")

    def _of_certificate(self, said: Mapping[str, Any]) -> Caller:
        names = [name.decode(errors="replace") for kind in PEER_NAMES for name in said.get(kind, ())]
        for name in names:
            if name in self._services:
                return self._services[name]
        raise CertificateUnknown if names else CallerUnknown


def services_by_san(text: str | None) -> dict[str, str]:
    """Reads `order=spiffe://shop/order,order=order.internal`: the service that each name of a certificate stands for."""
    pairs = [entry.partition("=") for entry in (text or "").split(",") if entry]
    return {san: name for name, _, san in pairs}


def somebody_at(peer: str) -> Caller:
    """The caller of whom nothing is known but what gRPC says of the connection, as `ipv4:10.0.0.7:50312` or `ipv6:[2001:db8::7]:50312`.

    All connections of an address are one caller, and so are all addresses of an IPv6 network.
    """
    family, _, rest = peer.partition(":")
    host = unquote(rest).rpartition(":")[0]
    if family == "ipv6":
        address = IPv6Address(host.strip("[]").partition("%")[0])
        host = str(address.ipv4_mapped or ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return Caller("somebody", None, f"peer:{host or peer}")
