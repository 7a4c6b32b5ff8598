"""The gate in front of every method: who calls, and whether the table lets them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog
from google.protobuf import descriptor_pool

from service_runtime.access_errors import NotPermitted
from service_runtime.access_settings import FairnessSettings
from service_runtime.callers import Callers, Context, become, services_by_san, somebody_at
from service_runtime.roles import ROLES, SERVICE_PREFIX

# Kinds of callers by method, as in {"GetDisc": {"customer", "clerk"}}; whoever is not named is turned away.
AccessTable = Mapping[str, Collection[str]]

EXIT_BAD_TABLE = 4
# What every server answers to everybody: probes have no token, and what the methods are is in the protos anyway.
OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")

log = structlog.get_logger(__name__)


class OpenGate:
    """Lets every call pass, as somebody at an address: nobody says who they are, and yet everybody has a share of their own."""

    def admit(self, method: str, context: Context) -> None:
        """Makes the call its address' own."""
        del method
        become(somebody_at(context.peer()))


class Gate:
    """Lets a call pass, as the caller that makes it, or raises what it is turned away with."""

    def __init__(self, *, callers: Callers, allowed: Mapping[str, frozenset[str]]) -> None:
        self._callers = callers
        self._allowed = allowed

    def admit(self, method: str, context: Context) -> None:
        """Raises Unauthenticated or NotPermitted, or makes the call the caller's; what is open to everybody has somebody at an address."""
        if method.startswith(OPEN_SERVICES):
            become(somebody_at(context.peer()))
            return
        caller = self._callers.of(context)
        if caller.kind not in self._allowed.get(method, ()):
            raise NotPermitted
        become(caller)


def require_rows(service_names: Sequence[str], tables: Sequence[AccessTable]) -> dict[str, frozenset[str]]:
    """Joins the tables, in the order of their services; ends the process if a method has no row, or a row no method or unknown callers."""
    allowed: dict[str, frozenset[str]] = {}
    faults: list[str] = []
    pool: Any = descriptor_pool.Default()
    for service_name, table in zip(service_names, tables, strict=True):
        methods = {method.name for method in pool.FindServiceByName(service_name).methods}
        faults += [f"{service_name}.{name} has no row" for name in sorted(methods - table.keys())]
        faults += [f"{service_name}.{name} is no method" for name in sorted(table.keys() - methods)]
        for name, kinds in table.items():
            unknown = [kind for kind in kinds if kind not in ROLES and not kind.startswith(SERVICE_PREFIX)]
            faults += [f"{service_name}.{name}: nobody is a {kind}" for kind in unknown]
            allowed[f"/{service_name}/{name}"] = frozenset(kinds)
    if faults:
        log.error("the table of who may call what is not whole", faults=faults)
        raise SystemExit(EXIT_BAD_TABLE)
    return allowed


def open_gate(settings: FairnessSettings, allowed: Mapping[str, frozenset[str]]) -> Gate | OpenGate | None:
    """Makes the gate that the settings ask for: none where callers need not be told apart. Raises BadKeys or OSError."""
    if not settings.has_policy:
        return OpenGate() if settings.tells_callers_apart else None
    tokens = None
    if settings.token_issuer and settings.token_audience and settings.token_keys_file:
        # Only who has a policy pays for the import.
        from service_runtime.tokens import Tokens  # noqa: PLC0415

        tokens = Tokens(
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            keys_file=settings.token_keys_file,
            key_id=settings.token_key_id,
            remembered_max=settings.token_cache_size_max,
        )
    callers = Callers(tokens=tokens, services_by_san=services_by_san(settings.service_sans))
    return Gate(callers=callers, allowed=allowed)
