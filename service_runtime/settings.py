"""Settings from the environment, read once; all that is wrong is said at once, and then the process does not start."""

import sys
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, FilePath, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings

from service_runtime import lockdown
from service_runtime.postgres_hosts import PostgresHost, parse_hosts

EXIT_BAD_SETTINGS = 2
WORKERS_MAX = 64

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Address = Annotated[str, StringConstraints(pattern=r"^[^\s:]+:[0-9]{1,5}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
SanList = Annotated[str, StringConstraints(pattern=r"^[a-z]+=[^\s,=]+(,[a-z]+=[^\s,=]+)*$")]


class DatabaseSettings(BaseSettings):
    """Where a service's database is, and how much of it the service may use.

    Each worker has a pool of its own. All pools of a service, with those of its replicas, must fit into the CONNECTION LIMIT that
    db/roles.sql gives its role.
    """

    # Several servers, of which one takes writes at a time, are separated by commas: db1,db2:5433. Each is `host` or `host:port`.
    postgres_host: str = Field(default="127.0.0.1", min_length=1)
    # Of the hosts that name no port of their own.
    postgres_port: Annotated[int, Field(ge=1, le=65535)] = 5432
    # How long each of several hosts is tried before the next one is.
    postgres_host_timeout_s: Seconds = 1.0
    postgres_user: str = Field(min_length=1)
    postgres_password: SecretStr
    postgres_db: str = Field(min_length=1)
    postgres_schema: Identifier = "public"
    postgres_pool_size_max: Annotated[int, Field(ge=1, le=200)] = 16
    postgres_acquire_timeout_s: Seconds = 2.0
    postgres_command_timeout_s: Seconds = 10.0
    postgres_sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    """How the connection is protected, as libpq names it. Only verify-full makes sure that the right server answers."""
    postgres_sslrootcert_file: FilePath | None = None
    """The certificate of the CA that signed PostgreSQL's, as PEM; needed by verify-ca and verify-full."""

    @field_validator("postgres_host")
    @classmethod
    def _is_a_list_of_hosts(cls, text: str) -> str:
        parse_hosts(text, default_port=1)
        return text

    @model_validator(mode="after")
    def _has_what_it_verifies_by(self) -> Self:
        if self.postgres_sslmode.startswith("verify") and self.postgres_sslrootcert_file is None:
            raise ValueError(f"POSTGRES_SSLMODE={self.postgres_sslmode} needs POSTGRES_SSLROOTCERT_FILE")
        return self

    @property
    def postgres_hosts(self) -> tuple[PostgresHost, ...]:
        """The servers of POSTGRES_HOST, each with its port."""
        return parse_hosts(self.postgres_host, default_port=self.postgres_port)


class AccessSettings(BaseSettings):
    """Who may reach a service, and how it knows them. Without any of these it is open, and then it listens on loopback alone."""

    needed_outside: ClassVar[tuple[str, ...]] = lockdown.CALLED_BY_NEIGHBOURS

    bind_address: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen on. Anything but this machine's loopback needs TLS and a caller policy."""
    allow_insecure: bool = False
    """Lets the service listen beyond loopback without TLS or a caller policy, with a warning at each start. For networks that are safe."""
    tls_cert_file: FilePath | None = None
    """The service's certificate with its chain, as PEM. Callers on its port are served by TLS then. It is read again when it changes."""
    tls_key_file: FilePath | None = None
    """The private key of TLS_CERT_FILE, as PEM without a password."""
    tls_ca_file: FilePath | None = None
    """The CA of the services' own certificates, as PEM: neighbours are believed if it has signed theirs, in both directions."""
    mtls_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The port at which neighbours call, each with its certificate, beside the service's own port for everybody else."""
    service_sans: SanList | None = None
    """Who may call as a service: `order=spiffe://shop/order,order=order.internal`, each the URI or DNS name in its certificate."""
    token_issuer: str | None = None
    """Who signs the callers' tokens: their `iss` must be exactly this."""
    token_audience: str | None = None
    """Whom the tokens are meant for: their `aud` must name exactly this."""
    token_keys_file: FilePath | None = None
    """The issuer's public keys: a JWKS file, or one key as PEM whose id is TOKEN_KEY_ID. It is read again when it changes."""
    token_key_id: str = Field(default="default", min_length=1)
    """The `kid` that tokens must carry if TOKEN_KEYS_FILE is one key as PEM; a JWKS file names its keys itself."""
    token_cache_size_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Verified tokens that are remembered until they expire, in each worker, so that a signature is checked once and not at every call."""

    @model_validator(mode="after")
    def _is_locked_outside(self) -> Self:
        needed = self.needed_outside if self.is_reached_from_outside and not self.allow_insecure else ()
        missing = lockdown.missing(self.model_dump(), needed=needed)
        if not missing:
            return self
        names = ", ".join(missing)
        if needed:
            raise ValueError(
                f"BIND_ADDRESS={self.bind_address} can be reached from other machines, which needs TLS and a caller policy. "
                f"These are missing: {names}. ALLOW_INSECURE=true starts the service without them"
            )
        raise ValueError(f"others that are given need these, which are missing: {names}")

    @property
    def is_reached_from_outside(self) -> bool:
        """Whether other machines may reach the service."""
        return not lockdown.is_loopback(self.bind_address)

    @property
    def is_insecure_outside(self) -> bool:
        """Whether other machines may reach the service, which lacks something that would keep them out."""
        return self.is_reached_from_outside and bool(lockdown.missing(self.model_dump(), needed=self.needed_outside))

    @property
    def has_policy(self) -> bool:
        """Whether the service asks who is calling."""
        return bool(self.token_issuer or self.service_sans)


class ServerSettings(AccessSettings):
    """How a service answers."""

    # Processes that serve the port together; each has limits and pools of its own, as named here and in the service's settings.
    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    calls_running_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    message_size_max_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    slow_call_s: Seconds = 1.0
    drain_timeout_s: Seconds = 10.0
    health_interval_s: Seconds = 0.5
    health_timeout_s: Seconds = 2.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class WatchSettings(BaseSettings):
    """How many a service lets watch, and how often it looks for them."""

    watches_max: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Calls that may watch at once, in each worker; more are refused as OVERLOADED. Each counts as a running call too."""
    watch_interval_s: Seconds = 0.1
    """Seconds between two looks for what other processes changed, while anybody watches: as long may a change wait to be told."""


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def load_settings(kind: type[AnySettings], **given: Any) -> AnySettings:
    """Reads settings from the environment, but for those that are given.

    Wrong ones are named together on stderr, without their values, and end the process with 2.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in fault["loc"]).upper()
            print(f"setting {name}: {fault['msg']}" if name else fault["msg"], file=sys.stderr)  # noqa: T201 - no log is configured yet.
        raise SystemExit(EXIT_BAD_SETTINGS) from None
