"""Settings from the environment, read once; all that is wrong is said at once, and then the process does not start."""

import sys
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, FilePath, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service_runtime import lockdown
from service_runtime.postgres_hosts import PostgresHost, parse_hosts
from service_runtime.rate_limit import RateLimit
from service_runtime.secret_files import Secret, with_secrets_read

EXIT_BAD_SETTINGS = 2
WORKERS_MAX = 64

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Address = Annotated[str, StringConstraints(pattern=r"^[^\s:]+:[0-9]{1,5}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
SanList = Annotated[str, StringConstraints(pattern=r"^[a-z]+=[^\s,=]+(,[a-z]+=[^\s,=]+)*$")]


class DocumentedSettings(BaseSettings):
    """Each setting is described by the docstring right under it, which docs/configuration.md is made from."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _secrets_may_be_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        return with_secrets_read(cls.model_fields, given)


class DatabaseSettings(DocumentedSettings):
    """Where a service's database is, and how much of it the service may use.

    Each worker has a pool of its own. All pools of a service, with those of its replicas, must fit into the CONNECTION LIMIT that
    db/roles.sql gives its role.
    """

    postgres_host: str = Field(default="127.0.0.1", min_length=1)
    """The server, as `host` or `host:port`. Several, of which one takes writes at a time, are separated by commas: `db1,db2:5433`."""
    postgres_port: Annotated[int, Field(ge=1, le=65535)] = 5432
    """The port of the hosts that name none of their own."""
    postgres_host_timeout_s: Seconds = 1.0
    """Seconds that each of several hosts is tried before the next one is; a sole host is tried longer. Longer where connecting is slow."""
    postgres_user: str = Field(min_length=1)
    """The service's role in the database."""
    postgres_password: Secret
    """The role's password. It is never logged. Whoever sees the process' environment sees it; POSTGRES_PASSWORD_FILE avoids that."""
    postgres_password_file: FilePath | None = None
    """A file that holds the role's password, and at most the end of a line behind it; in place of POSTGRES_PASSWORD. Read at the start."""
    postgres_db: str = Field(min_length=1)
    """The service's database."""
    postgres_schema: Identifier = "public"
    """The schema that has the service's tables, for a database that is shared with something else."""
    postgres_pool_size_max: Annotated[int, Field(ge=1, le=200)] = 16
    """Connections at most, in each worker. More of them let more statements run at once, and must fit into the role's limit."""
    postgres_acquire_timeout_s: Seconds = 2.0
    """Seconds that a call waits for a free connection before it is answered NOT_ACCEPTED."""
    postgres_command_timeout_s: Seconds = 10.0
    """Seconds that a statement may take; a server that is silent for longer is left for another one."""
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


class AccessSettings(DocumentedSettings):
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


class FairnessSettings(AccessSettings):
    """What one caller or one connection may have of a service, so that something is left for the others.

    Some limits are on by themselves only where there is a caller policy: on one machine there is nobody to be fair to, and nothing of them
    is on a call's way. Set, they hold without a policy too; callers are told apart by their addresses then.
    """

    caller_calls_running_max: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Calls that one caller may have running at once, over all connections, in each worker; more are refused as TOO_MANY_CALLS. Services
    are not limited. 0 is no limit; unset, it is 250 with a caller policy, and none without."""
    connections_max: Annotated[int, Field(ge=1, le=1_000_000)] = 900
    """Connections that each port of a worker has at once; further ones are closed before they say anything. Each takes a file, of which
    Linux gives a process 1,024 unless told otherwise."""
    connection_streams_max: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Calls that one connection may have running at once; further ones wait at their caller until one of them has ended, but some of those
    that a new connection begins with, before its caller has heard of the limit, fail as UNAVAILABLE. 0 is no limit; unset, it is 1,000 with
    a caller policy, and none without."""
    connection_age_max_s: Annotated[float, Field(ge=0, le=604_800)] | None = None
    """Seconds after which a connection, give or take a tenth, takes no new calls: callers connect anew, perhaps to another replica. 0 is
    never; unset, it is 3,600 with a caller policy, and never without."""
    connection_age_grace_s: Seconds = 300.0
    """Seconds that the calls of such a connection have to end; then they are cut off, watches and streams too."""
    connection_idle_max_s: Annotated[float, Field(ge=0, le=604_800)] | None = None
    """Seconds after which a connection without a call is closed; callers connect anew with their next call. 0 is never; unset, it is 900
    with a caller policy, and never without."""
    keepalive_interval_min_s: Annotated[float, Field(ge=0.001, le=3_600)] = 15.0
    """Seconds between two pings of a caller who asks whether a silent stream still lives; one who asks more often is cut off."""
    message_size_max_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    """Bytes of the largest request that is read; a larger one is refused as RESOURCE_EXHAUSTED."""
    metadata_size_max_bytes: Annotated[int, Field(ge=10 * 1024, le=1024 * 1024)] = 16 * 1024
    """Bytes of a call's metadata, of which a token takes up to 8,192; a call with more is refused as RESOURCE_EXHAUSTED."""
    call_timeout_s: Seconds = 10.0
    """Seconds that a call of one answer may take whose caller gave no deadline; then it is answered DEADLINE_MISSING."""

    @property
    def calls_of_a_caller_max(self) -> int:
        """Calls that one caller may have running at once; 0 for as many as there are."""
        return int(self._or_usual(self.caller_calls_running_max, 250))

    @property
    def streams_of_a_connection_max(self) -> int:
        """Calls that one connection may have running at once; 0 for as many as there are."""
        return int(self._or_usual(self.connection_streams_max, 1_000))

    @property
    def connection_age_s(self) -> float:
        """Seconds after which a connection takes no new calls; 0 for never."""
        return self._or_usual(self.connection_age_max_s, 3_600)

    @property
    def connection_idle_s(self) -> float:
        """Seconds after which a connection without a call is closed; 0 for never."""
        return self._or_usual(self.connection_idle_max_s, 900)

    @property
    def tells_callers_apart(self) -> bool:
        """Whether anything is limited for each caller."""
        return self.calls_of_a_caller_max > 0

    def _or_usual(self, given: float | None, usual: float) -> float:
        """A limit as it was given; else the usual one where there is a policy, and none elsewhere."""
        if given is not None:
            return given
        return usual if self.has_policy else 0


class CreateSettings(FairnessSettings):
    """How much may be created in a time: orders, one by one, in batches and in streams, or customers.

    A batch is let in while anything is left of a share; what it takes beyond that is owed, and the next one waits for it.
    """

    caller_creates_max_per_s: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    """Creates a second of one caller in the long run, in each worker; more are refused as RATE_LIMITED. 0 is no limit; unset, it is 1,000
    with a caller policy, about half of what two cores sell by single calls, and none without."""
    caller_creates_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    """Creates at once of a caller who has created nothing for a while."""
    customer_creates_max_per_s: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    """The same for one customer, whoever creates for them. 0 is no limit; unset, it is 10 with a caller policy, more than a person buys,
    and none without."""
    customer_creates_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """Creates at once for a customer for whom nothing was created for a while: one whole batch."""
    creates_remembered_max: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Callers, and customers, whose shares are remembered, in each worker, at some 200 bytes each; beyond that whoever created longest ago
    has a full share again."""

    @property
    def caller_creates(self) -> RateLimit | None:
        """What a caller may create; None for as much as they like."""
        return self._limit(self.caller_creates_max_per_s, 1_000, self.caller_creates_burst)

    @property
    def customer_creates(self) -> RateLimit | None:
        """What may be created for a customer; None for as much as anybody likes."""
        return self._limit(self.customer_creates_max_per_s, 10, self.customer_creates_burst)

    @property
    def tells_callers_apart(self) -> bool:
        """Whether anything is limited for each caller."""
        return super().tells_callers_apart or self.caller_creates is not None

    def _limit(self, given: float | None, usual: float, burst: int) -> RateLimit | None:
        max_per_s = self._or_usual(given, usual)
        return RateLimit(max_per_s, burst) if max_per_s else None


class TracingSettings(DocumentedSettings):
    """Whether and how a service traces: OpenTelemetry's own variables, of which an empty one counts as unset.

    The SDK reads further ones by itself, such as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
    """

    otel_exporter_otlp_endpoint: str = ""
    """Where traces are sent by OTLP over gRPC, such as `http://127.0.0.1:4317`; naming it switches tracing on, and empty leaves it off."""
    otel_exporter_otlp_traces_endpoint: str = ""
    """The same for traces alone, where other telemetry goes elsewhere."""
    otel_exporter_otlp_protocol: Literal["grpc"] = "grpc"
    """How traces are sent; the services speak OTLP over gRPC only."""
    otel_exporter_otlp_headers: Secret = SecretStr("")
    """What the collector is told with each call, such as `authorization=Bearer ...`, separated by commas. It is never logged."""
    otel_exporter_otlp_headers_file: FilePath | None = None
    """A file that holds them, in place of OTEL_EXPORTER_OTLP_HEADERS. Read at the start."""
    otel_traces_exporter: Literal["otlp", "none"] = "otlp"
    """`none` leaves tracing off although an endpoint is named."""
    otel_sdk_disabled: bool = False
    """`true` leaves tracing off although an endpoint is named."""
    otel_traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = "parentbased_always_on"
    """Which calls are traced. The `parentbased_` ones do as the caller does, if it says; take `parentbased_traceidratio` under load."""
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of calls that the two `traceidratio` samplers choose: 0.01 traces one in a hundred, and costs a few percent of CPU."""
    otel_span_link_count_limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Links of a span at most; a group is linked with each of its orders that is traced, and has as many as a group may have."""
    otel_bsp_max_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 8_192
    """Spans that may wait to be sent; further ones are dropped, as while the collector is away. Each takes a few kilobytes."""
    otel_bsp_max_export_batch_size: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Spans sent at once."""
    otel_bsp_schedule_delay: Annotated[int, Field(ge=1, le=600_000)] = 5_000
    """Milliseconds that a span may wait until it is sent."""
    otel_exporter_otlp_timeout: Seconds = 10.0
    """Seconds that the collector may take for a batch, with all repetitions, before the batch is dropped."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != "" or not name.lower().startswith("otel_")}

    @property
    def traces(self) -> bool:
        """Whether the process traces."""
        has_endpoint = bool(self.otel_exporter_otlp_traces_endpoint or self.otel_exporter_otlp_endpoint)
        return has_endpoint and self.otel_traces_exporter == "otlp" and not self.otel_sdk_disabled


class ServerSettings(FairnessSettings, TracingSettings):
    """How a service answers."""

    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    """Processes that serve the port together. Each has limits and pools of its own, as named here and in the service's settings."""
    calls_running_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    """Calls that run at once, in each worker; more are refused as OVERLOADED."""
    slow_call_s: Seconds = 1.0
    """Seconds from which on a call is logged as slow."""
    drain_timeout_s: Seconds = 10.0
    """Seconds that running calls have to end after SIGTERM, and what they began in the background as long again."""
    health_interval_s: Seconds = 0.5
    """Seconds between two looks whether the database takes writes, which the health service answers."""
    health_timeout_s: Seconds = 2.0
    """Seconds that such a look may take before the service calls itself NOT_SERVING."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least weight of lines that are logged; `warning` leaves out starts, ends, recoveries and sampled calls."""
    log_format: Literal["json", "console"] | None = None
    """One JSON object a line, or something for people to read; unset, it is `console` on a terminal and `json` elsewhere."""
    log_calls_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the calls logged that are neither slow nor failed; a line for each would cost a quarter of what the calls do."""
    log_lines_max_per_s: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Lines of one kind logged in a second, in each process; the next line says how many were left out, as of failed calls in an outage."""
    metrics_port: Port | None = None
    """Where Prometheus may scrape the service, at /metrics. Unset, nothing is counted; 0 is any free port, which the log tells."""
    metrics_address: str = Field(default="127.0.0.1", min_length=1)
    """The address of that port. The page is in the clear and for everybody who reaches it: name another one for a network that is safe."""


class WatchSettings(DocumentedSettings):
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
            print(f"{f'setting {name}' if name else 'settings'}: {fault['msg']}", file=sys.stderr)  # noqa: T201 - no log is configured yet.
        raise SystemExit(EXIT_BAD_SETTINGS) from None
