"""Settings from the environment, read once; all that is wrong is said at once, and then the process does not start."""

import sys
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings

from service_runtime.access_settings import FairnessSettings
from service_runtime.base_settings import DocumentedSettings, Identifier, Port, Seconds
from service_runtime.postgres_hosts import PostgresHost, parse_hosts
from service_runtime.secret_files import Secret

EXIT_BAD_SETTINGS = 2
WORKERS_MAX = 64


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
