"""The three services on one PostgreSQL, started and stopped together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from local_shop.errors import PortTaken
from local_shop.ports import HOST, free_ports
from local_shop.postgres import LocalPostgres
from local_shop.process_logs import ConsoleLog, ProcessLog
from local_shop.processes import START_TIMEOUT_S, ServiceProcess
from local_shop.provision import DATABASES, ServiceDatabase
from local_shop.secret_files import SecretFiles

PORT_ATTEMPTS_MAX = 3
SERVICES = tuple(target.service for target in DATABASES)
# Whom each service calls.
PEERS = {"catalog": (), "customer": ("order",), "order": ("catalog", "customer")}


def console_log(service: str) -> ProcessLog:
    """Return a log that shows a service's lines on the console, behind its name."""
    return ConsoleLog(f"{service:<8} |")


@dataclass(frozen=True, kw_only=True)
class ShopOptions:
    """What may differ from one shop to the next; every mapping is by service: `catalog`, `customer`, `order`.

    `ports` are free ones unless given. `metrics_ports` are those of the metrics, 0 for any free one; without, there are no metrics.
    `databases` are other databases than the usual ones, `settings` further
    variables of a process' environment, `programs` Python's arguments instead of `-m order_service` and so on.
    """

    ports: Mapping[str, int] | None = None
    metrics_ports: Mapping[str, int] | None = None
    databases: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    programs: Mapping[str, Sequence[str | Path]] = field(default_factory=dict)
    log_of: Callable[[str], ProcessLog] = console_log


class LocalShop:
    """The three services on a provisioned server. As a context manager it is SERVING inside, and stopped after.

    `passwords` are those that `provision` returned. Enter it in the main thread, and outlive it there.
    """

    catalog: ServiceProcess
    customer: ServiceProcess
    order: ServiceProcess

    def __init__(self, server: LocalPostgres, passwords: Mapping[str, str], options: ShopOptions | None = None) -> None:
        self._server = server
        self._passwords = passwords
        self._options = options or ShopOptions()
        self.processes: tuple[ServiceProcess, ...] = ()
        self._metrics_ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def catalog_addr(self) -> str:
        """`host:port` of the catalog service."""
        return self.catalog.address

    @property
    def customer_addr(self) -> str:
        """`host:port` of the customer service."""
        return self.customer.address

    @property
    def order_addr(self) -> str:
        """`host:port` of the order service."""
        return self.order.address

    @property
    def catalog_dsn(self) -> str:
        """The catalog service's own way into its database."""
        return self._dsn(DATABASES[0])

    @property
    def customer_dsn(self) -> str:
        """The customer service's own way into its database."""
        return self._dsn(DATABASES[1])

    @property
    def order_dsn(self) -> str:
        """The order service's own way into its database."""
        return self._dsn(DATABASES[2])

    @property
    def admin_dsn(self) -> str:
        """The superuser's way into the database `postgres`."""
        return self._server.admin_dsn

    @property
    def catalog_metrics_url(self) -> str:
        """Where the catalog service's metrics are; "" if it has none."""
        return self._metrics_url("catalog")

    @property
    def customer_metrics_url(self) -> str:
        """Where the customer service's metrics are; "" if it has none."""
        return self._metrics_url("customer")

    @property
    def order_metrics_url(self) -> str:
        """Where the order service's metrics are; "" if it has none."""
        return self._metrics_url("order")

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start all three at once and wait until all are SERVING; free ports that others took meanwhile are chosen anew."""
        attempts = 1 if self._options.ports else PORT_ATTEMPTS_MAX
        for attempt in range(1, attempts + 1):
            try:
                self._start_on(self._options.ports or dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)))
                for process in self.processes:
                    process.wait_serving(timeout_s)
            except BaseException as error:
                self.stop()
                if not isinstance(error, PortTaken) or attempt == attempts:
                    raise
            else:
                return

    def raise_if_ended(self) -> None:
        """Raise ServiceFailed, with its last log lines, if one of the services has ended."""
        for process in self.processes:
            process.raise_if_ended()

    def stop(self) -> None:
        """Stop the order service, then its neighbours, so that what it still has under way can end well."""
        for process in reversed(self.processes):
            process.stop()

    def _start_on(self, ports: Mapping[str, int]) -> None:
        asked = self._options.metrics_ports or {}
        free = iter(free_ports(list(asked.values()).count(0)) if 0 in asked.values() else ())
        self._metrics_ports = {service: port or next(free) for service, port in asked.items()}
        self.processes = tuple(self._process(target, ports) for target in DATABASES)
        self.catalog, self.customer, self.order = self.processes
        for process in self.processes:
            process.start()

    def _process(self, target: ServiceDatabase, ports: Mapping[str, int]) -> ServiceProcess:
        service, options = target.service, self._options
        settings = {
            "POSTGRES_HOST": self._server.host,
            "POSTGRES_PORT": str(self._server.port),
            "POSTGRES_USER": target.role,
            "POSTGRES_PASSWORD_FILE": str(SecretFiles.of(self._server).password(target.role)),
            "POSTGRES_DB": self._database(target),
            "BIND_ADDRESS": HOST,
            f"{service.upper()}_PORT": str(ports[service]),
        }
        if service == "customer":
            settings["DOCUMENT_KEY_FILE"] = str(SecretFiles.of(self._server).document_key)
        settings |= {f"{peer.upper()}_ADDR": f"{HOST}:{ports[peer]}" for peer in PEERS[service]}
        if service in self._metrics_ports:
            settings["METRICS_PORT"] = str(self._metrics_ports[service])
        return ServiceProcess(
            name=f"{service}_service",
            port=ports[service],
            program=options.programs.get(service, ("-m", f"{service}_service")),
            settings={**settings, **options.settings.get(service, {})},
            log=options.log_of(service),
        )

    def _database(self, target: ServiceDatabase) -> str:
        return self._options.databases.get(target.service, target.database)

    def _metrics_url(self, service: str) -> str:
        port = self._metrics_ports.get(service)
        return "" if port is None else f"http://{HOST}:{port}/metrics"

    def _dsn(self, target: ServiceDatabase) -> str:
        return self._server.dsn(self._database(target), target.role, self._passwords[target.role])
