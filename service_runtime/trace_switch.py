"""Switches tracing on, where the settings say so."""

import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any

from service_runtime import tracing
from service_runtime.settings import EXIT_BAD_SETTINGS, TracingSettings

NEEDED = "opentelemetry.exporter.otlp.proto.grpc"


def require_tracing(settings: TracingSettings) -> None:
    """Ends the process with 2 if traces are wanted, and what makes them is not installed."""
    if settings.traces and not _is_installed():
        print(  # noqa: T201 - as for any other wrong setting.
            "setting OTEL_EXPORTER_OTLP_ENDPOINT: traces need further packages: pip install 'record-shop[otel]'",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_BAD_SETTINGS)


def _is_installed() -> bool:
    try:
        return find_spec(NEEDED) is not None
    except ModuleNotFoundError:
        return False


async def traced_process(
    main: Coroutine[Any, Any, None], service: str, settings: TracingSettings, *, worker: int | None = None
) -> None:
    """Runs a process' main coroutine, and traces what it builds and does if the settings say so."""
    if not settings.traces:
        await main
        return
    from service_runtime.otel.exporting import running_tracer  # noqa: PLC0415 - only who traces has OpenTelemetry.

    async with running_tracer(service, settings, worker=worker) as tracer:
        tracing.install(tracer)
        await main
