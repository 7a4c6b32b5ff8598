"""Settings from the environment, read once; all that is wrong is said at once, and then the process does not start."""

import sys
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings

from service_runtime.postgres_hosts import PostgresHost, parse_hosts

EXIT_BAD_SETTINGS = 2
WORKERS_MAX = 64

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Address = Annotated[str, StringConstraints(pattern=r"^[^\s:]+:[0-9]{1,5}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


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

    @field_validator("postgres_host")
    @classmethod
    def _is_a_list_of_hosts(cls, text: str) -> str:
        parse_hosts(text, default_port=1)
        return text

    @property
    def postgres_hosts(self) -> tuple[PostgresHost, ...]:
        """The servers of POSTGRES_HOST, each with its port."""
        return parse_hosts(self.postgres_host, default_port=self.postgres_port)


class ServerSettings(BaseSettings):
    """How a service answers."""

    bind_address: str = Field(default="127.0.0.1", min_length=1)
    # Processes that serve the port together; each has limits and pools of its own, as named here and in the service's settings.
    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    calls_running_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    message_size_max_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    slow_call_s: Seconds = 1.0
    drain_timeout_s: Seconds = 10.0
    health_interval_s: Seconds = 0.5
    health_timeout_s: Seconds = 2.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_port: Port | None = None
    """Where Prometheus may scrape the service, at /metrics. Unset, nothing is counted; 0 is any free port, which the log tells."""
    metrics_address: str | None = Field(default=None, min_length=1)
    """The address of that port, if it is to be another one than BIND_ADDRESS."""

    @property
    def metrics_host(self) -> str:
        """Where the metrics' port is."""
        return self.metrics_address or self.bind_address


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
            print(f"setting {name}: {fault['msg']}", file=sys.stderr)  # noqa: T201 - no log is configured yet.
        raise SystemExit(EXIT_BAD_SETTINGS) from None
