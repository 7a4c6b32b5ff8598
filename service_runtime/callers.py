"""Who calls: a person by a signed token, or a service by its certificate."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import grpc

from service_runtime.access_errors import CallerUnknown, CertificateUnknown
from service_runtime.roles import SERVICE_PREFIX

if TYPE_CHECKING:
    from service_runtime.tokens import Tokens

AUTHORIZATION = "authorization"
BEARER = "bearer "
# From gRPC's grpc_security_constants.h: what it has read from a certificate that the CA signed.
PEER_NAMES = ("peer_uri", "peer_dns")


class Caller(NamedTuple):
    """What a caller is, `customer` or `service:order`, and for a customer whose data are theirs."""

    kind: str
    customer_id: UUID | None = None


# Set for each call where there is a policy, and nowhere else.
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def owner() -> UUID | None:
    """The customer whose data alone the call may see and make; None where it may see everybody's, or nobody asks who calls."""
    caller = _caller.get()
    return None if caller is None else caller.customer_id


def is_service() -> bool:
    """Whether a service calls, by its certificate, and no person; not where nobody asks who calls."""
    caller = _caller.get()
    return caller is not None and caller.kind.startswith(SERVICE_PREFIX)


def become(caller: Caller) -> None:
    """Makes what the call's task does from now on the caller's doing."""
    _caller.set(caller)


class Callers:
    """Tells who calls, or that nobody knows."""

    def __init__(self, *, tokens: "Tokens | None", services_by_san: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._services = {san: Caller(SERVICE_PREFIX + name) for san, name in services_by_san.items()}

    def of(self, context: "grpc.aio.ServicerContext[Any, Any]") -> Caller:
        """Answers the caller; raises CallerUnknown, TokenInvalid, TokenExpired or CertificateUnknown."""
        for key, value in context.invocation_metadata() or ():
            if key == AUTHORIZATION:
                return self._of_token(str(value))
        return self._of_certificate(context.auth_context())

    def _of_token(self, header: str) -> Caller:
        if self._tokens is None or header[: len(BEARER)].lower() != BEARER:
            raise CallerUnknown
        claims = self._tokens.verified(header[len(BEARER) :])
        return Caller(claims.role, claims.customer_id)

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
