"""The way of spans out of the process: collected, sent in batches beside everything else, and dropped where nobody takes them."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import structlog
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from service_runtime.otel.sampling import SampledIds, Sampling
from service_runtime.otel.spans import Spans
from service_runtime.otel.tracer import OtelTracer
from service_runtime.settings import TracingSettings

DISTRIBUTION = "record-shop"
# How long the last spans may take to leave a process that ends; after that they are lost, and nobody waits for them.
FLUSH_TIMEOUT_S = 2.0
CUT_OFF_TIMEOUT_S = 1.0
# How often the log tells of a collector that is away.
OUTAGE_TOLD_EVERY_S = 60.0
LIBRARY = "opentelemetry"
# The collector is reached directly, like the neighbours: grpc would send even a loopback address through a proxy.
CHANNEL_OPTIONS: Any = (("grpc.enable_http_proxy", 0),)

log = structlog.get_logger(__name__)


@asynccontextmanager
async def running_tracer(service: str, settings: TracingSettings, *, worker: int | None) -> AsyncIterator[OtelTracer]:
    """Collects and sends spans from here to the end of the block, and the last ones then, for FLUSH_TIMEOUT_S seconds at most."""
    _hear_warnings()
    sampling = Sampling(sampler=settings.otel_traces_sampler, share=settings.otel_traces_sampler_arg)
    provider = TracerProvider(
        # What is not sampled never comes here.
        sampler=ALWAYS_ON,
        id_generator=SampledIds(sampling.bound),
        resource=_resource(service, worker),
        span_limits=SpanLimits(max_links=settings.otel_span_link_count_limit),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        headers=settings.otel_exporter_otlp_headers.get_secret_value() or None,
        timeout=settings.otel_exporter_otlp_timeout,
        channel_options=CHANNEL_OPTIONS,
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=settings.otel_bsp_max_queue_size,
            max_export_batch_size=settings.otel_bsp_max_export_batch_size,
            schedule_delay_millis=settings.otel_bsp_schedule_delay,
        )
    )
    spans = Spans(tracer=provider.get_tracer(DISTRIBUTION, version(DISTRIBUTION)), sampling=sampling)
    log.info("tracing", sampler=settings.otel_traces_sampler)
    try:
        yield OtelTracer(spans)
    finally:
        await _flush(provider, exporter)


def _resource(service: str, worker: int | None) -> Resource:
    """Who sends the spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say it better."""
    ours: dict[str, str | int] = {
        "service.name": f"recordshop-{service}",
        "service.version": version(DISTRIBUTION),
        "service.instance.id": str(uuid4()),
    }
    if worker is not None:
        ours["recordshop.worker"] = worker
    return Resource.create().merge(Resource(ours)).merge(OTELResourceDetector().detect())


async def _flush(provider: TracerProvider, exporter: OTLPSpanExporter) -> None:
    """Sends what is left. The SDK's own limit is 30 s, and it waits in its thread: hence one that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    flushed = asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        # Unless the loop is gone, since this took too long.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(flushed.set)

    threading.Thread(target=shut_down, name="last spans", daemon=True).start()
    if not await _within(FLUSH_TIMEOUT_S, flushed.wait()):
        log.warning("the last spans were not sent in time")
        # Cuts off what is under way, after which the thread ends.
        exporter.shutdown()
        await _within(CUT_OFF_TIMEOUT_S, flushed.wait())


async def _within(timeout_s: float, waiting: Coroutine[Any, Any, Any]) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await waiting
    except TimeoutError:
        return False
    return True


def _hear_warnings() -> None:
    """Takes what the SDK logs: a line for each batch that is lost would flood the log for as long as a collector is away."""
    library = logging.getLogger(LIBRARY)
    library.handlers = [_RareWarnings()]
    library.propagate = False


class _RareWarnings(logging.Handler):
    """Tells the first warning, and then one in OUTAGE_TOLD_EVERY_S seconds, with the number of those in between."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        # Of the process: the thread that sends knows nothing of what its log lines have in common.
        self._context = copy_context()
        self._told_s = -OUTAGE_TOLD_EVERY_S
        self._untold = 0

    def emit(self, record: logging.LogRecord) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s < OUTAGE_TOLD_EVERY_S:
            self._untold += 1
            return
        self._context.copy().run(log.warning, "spans are not sent", what=record.getMessage(), untold=self._untold)
        self._told_s, self._untold = now_s, 0
