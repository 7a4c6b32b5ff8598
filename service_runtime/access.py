"""The gate in front of every method: who calls, and whether the table lets them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import grpc
import structlog
from google.protobuf import descriptor_pool

from service_runtime.access_errors import NotPermitted
from service_runtime.callers import Callers, become, services_by_san
from service_runtime.roles import ROLES, SERVICE_PREFIX
from service_runtime.settings import AccessSettings

Context = grpc.aio.ServicerContext[Any, Any]
# Kinds of callers by method, as in {"GetDisc": {"customer", "clerk"}}; whoever is not named is turned away.
AccessTable = Mapping[str, Collection[str]]

EXIT_BAD_TABLE = 4
# What every server answers to everybody: probes have no token, and what the methods are is in the protos anyway.
OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")

log = structlog.get_logger(__name__)


class Gate:
    """Lets a call pass, as the caller that makes it, or raises what it is turned away with."""

    def __init__(self, *, callers: Callers, allowed: Mapping[str, frozenset[str]]) -> None:
        self._callers = callers
        self._allowed = allowed

    def guards(self, method: str) -> bool:
        """Whether the method is for some callers only: all are that are not named in OPEN_SERVICES."""
        return not method.startswith(OPEN_SERVICES)

    def admit(self, method: str, context: Context) -> None:
        """Raises Unauthenticated or NotPermitted, or makes the call the caller's."""
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


def open_gate(settings: AccessSettings, allowed: Mapping[str, frozenset[str]]) -> Gate | None:
    """Makes the gate that the settings ask for; without a caller policy there is none. Raises BadKeys or OSError."""
    if not settings.has_policy:
        return None
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
