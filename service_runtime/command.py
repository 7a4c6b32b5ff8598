"""A service's command line: `python -m order_service --workers 4`."""

import argparse
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog

from service_runtime.logs import configure_logs
from service_runtime.metric_export import exported
from service_runtime.metric_page import Page
from service_runtime.metrics import ServiceMetrics
from service_runtime.place import OwnPort, Place, SharedPort
from service_runtime.server import run_process
from service_runtime.settings import WORKERS_MAX, ServerSettings, load_settings
from service_runtime.trace_switch import require_tracing, traced_process
from service_runtime.worker_pages import WorkerPages, worker_pages
from service_runtime.workers import supervise

AnySettings = TypeVar("AnySettings", bound=ServerSettings)
AnyMetrics = TypeVar("AnyMetrics", bound=ServiceMetrics)

log = structlog.get_logger(__name__)


def run_service(
    service: str,
    serve: Callable[[AnySettings, Place, AnyMetrics | None], Coroutine[Any, Any, None]],
    *,
    settings_kind: type[AnySettings],
    port_of: Callable[[AnySettings], int],
    declare: Callable[[Page], AnyMetrics],
    arguments: Sequence[str] | None,
) -> None:
    """Runs a service in this process or, if several workers are asked for, in children of it.

    `declare` makes the service's metrics, which `serve` gets if METRICS_PORT is set. `arguments` are those of the command line, this
    process' own if None.
    """
    asked = _parser(service).parse_args(arguments)
    settings = load_settings(settings_kind, **({} if asked.workers is None else {"workers": asked.workers}))
    require_tracing(settings)
    configure_logs(
        service=service,
        level=settings.log_level,
        form=settings.log_format,
        lines_max_per_s=settings.log_lines_max_per_s,
    )
    if settings.is_insecure_outside:
        log.warning(
            "ALLOW_INSECURE: other machines may reach the service, which cannot tell who calls, or be sure of it"
        )
    if asked.worker is not None:
        structlog.contextvars.bind_contextvars(worker=asked.worker)
        with socket.socket(fileno=sys.stdin.fileno()) as line:
            shared_port = SharedPort(host=settings.bind_address, line=line)
            metrics = None if asked.metrics_page is None else declare(Page.shared(asked.metrics_page))
            run_process(traced_process(serve(settings, shared_port, metrics), service, settings, worker=asked.worker))
    elif settings.workers == 1:
        own_port = OwnPort(f"{settings.bind_address}:{port_of(settings)}")
        with _own_metrics(settings, declare) as metrics:
            run_process(traced_process(serve(settings, own_port, metrics), service, settings))
    else:
        with _metrics_of_workers(settings, declare) as pages:
            run_process(supervise(settings, port_of(settings), pages))


@contextmanager
def _own_metrics(settings: ServerSettings, declare: Callable[[Page], AnyMetrics]) -> Iterator[AnyMetrics | None]:
    if settings.metrics_port is None:
        yield None
        return
    metrics = declare(Page())
    with exported(settings.metrics_address, settings.metrics_port, [metrics.page], lambda: [os.getpid()]):
        yield metrics


@contextmanager
def _metrics_of_workers(
    settings: ServerSettings, declare: Callable[[Page], ServiceMetrics]
) -> Iterator[WorkerPages | None]:
    if settings.metrics_port is None:
        yield None
        return
    with (
        worker_pages(settings.workers, declare) as pages,
        exported(settings.metrics_address, settings.metrics_port, pages.pages, pages.pids),
    ):
        yield pages


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {service}_service",
        description=f"Runs the {service} service until SIGTERM or Ctrl-C.",
        epilog=f"All settings come from the environment: {service}_service/settings.py and service_runtime/settings.py name them.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        help=f"processes that serve the port together, 1 to {WORKERS_MAX}; default: WORKERS of the environment, or 1",
    )
    # For the parent alone, which starts its workers with it.
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--metrics-page", type=int, help=argparse.SUPPRESS)
    return parser
