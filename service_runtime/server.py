"""A gRPC server from its port to its last answer."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc

from service_runtime import tracing
from service_runtime.access import AccessTable, open_gate, require_rows
from service_runtime.background import cancelled_quietly
from service_runtime.fair_calls import open_fair_calls
from service_runtime.health import DrainingHealthServicer, HealthMonitor
from service_runtime.interceptor import CallInterceptor
from service_runtime.logs import frames
from service_runtime.metrics import ServiceMetrics
from service_runtime.place import Place, cannot_listen
from service_runtime.reflection import enable_reflection
from service_runtime.sampling import sampling
from service_runtime.settings import ServerSettings
from service_runtime.tls import TlsFiles, server_credentials

# How long the answers of calls that have ended may take to reach their callers when the server stops.
FLUSH_TIMEOUT_S = 1.0
# How long a connection may take until it has said what it wants to speak.
HANDSHAKE_TIMEOUT_MS = 10_000
# A caller who has vanished without a word is noticed by a ping that nobody answers, and holds its calls no longer.
KEEPALIVE_TIME_MS = 60_000
KEEPALIVE_TIMEOUT_MS = 20_000
# Calls that may wait inside grpc until Python looks at them, and refuses in a fraction of a millisecond those that are too many. From 1,000
# on, grpc's own default would begin to cut them off as CANCELLED, which tells a client nothing.
CALLS_UNSEEN_MAX = 20_000
# Objects that may be made, over those that went, before cycles are looked for.
GC_THRESHOLD = 10_000

log = structlog.get_logger(__name__)


class GrpcServer:
    """One process's server: health, reflection, errors as statuses, and a drain at SIGTERM or SIGINT."""

    def __init__(
        self,
        *,
        settings: ServerSettings,
        place: Place,
        service_names: Sequence[str],
        access: Sequence[AccessTable],
        ping: Callable[[], Awaitable[None]],
        end_watches: Callable[[], Awaitable[None]] | None = None,
        metrics: ServiceMetrics | None = None,
    ) -> None:
        self._metrics = metrics
        self._settings = settings
        self._place = place
        self._end_watches = end_watches
        self._names = tuple(service_names)
        self._health = DrainingHealthServicer()
        self._monitor = HealthMonitor(
            servicer=self._health,
            service_names=self._names,
            ping=ping,
            interval_s=settings.health_interval_s,
            timeout_s=settings.health_timeout_s,
            serving=metrics and metrics.serving,
        )
        self._calls = CallInterceptor(
            running_max=settings.calls_running_max,
            call_timeout_s=settings.call_timeout_s,
            slow_call_s=settings.slow_call_s,
            logged_share=settings.log_calls_share,
            gate=open_gate(settings, require_rows(self._names, access)),
            fair_calls=open_fair_calls(settings),
            stats=metrics and metrics.calls,
        )
        self.grpc = grpc.aio.server(
            interceptors=[*tracing.interceptors(), self._calls],
            options=_options(settings, is_shared=place.is_shared),
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        enable_reflection(self.grpc, [*self._names, health.SERVICE_NAME])

    async def run_until_signal(self) -> None:
        """Serves until SIGTERM or SIGINT, then refuses new calls and lets those that run finish. A port in use ends the process with 1."""
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        async with self._place.taking() as address:
            port = self._bind(address)
            await self._monitor.start()
            await self.grpc.start()
            _spare_the_garbage_collector()
            log.info("listening", address=address, port=port)
        monitoring = asyncio.create_task(self._monitor.run())
        async with sampling(self._metrics):
            try:
                await _first_of(stopping.wait(), monitoring)
            finally:
                await self._drain(monitoring)

    def _bind(self, address: str) -> int:
        settings = self._settings
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            return self._listen(address, None)
        own = {"certificate": settings.tls_cert_file, "key": settings.tls_key_file}
        port = self._listen(address, server_credentials(TlsFiles(**own), wants_certificates=False))
        if settings.mtls_port is not None:
            # gRPC for Python either demands a certificate at a port or takes none there: hence a port for each.
            files = TlsFiles(**own, ca=settings.tls_ca_file)
            host = address.rpartition(":")[0]
            self._listen(f"{host}:{settings.mtls_port}", server_credentials(files, wants_certificates=True))
        return port

    def _listen(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        try:
            if credentials is None:
                return self.grpc.add_insecure_port(address)
            return self.grpc.add_secure_port(address, credentials)
        except RuntimeError:
            raise cannot_listen(address) from None

    async def _drain(self, monitoring: asyncio.Task[None]) -> None:
        log.info("draining")
        await self._health.drain()
        await cancelled_quietly(monitoring)
        if self._metrics is not None:
            self._metrics.serving.set(0)
        stopping = asyncio.create_task(self.grpc.stop(self._settings.drain_timeout_s))
        if self._end_watches is not None:
            await self._end_watches()
        idle = asyncio.create_task(self._calls.idle())
        await asyncio.wait([stopping, idle], return_when=asyncio.FIRST_COMPLETED)
        await cancelled_quietly(idle)
        # Answers are still on their way. A call that came at the very moment of the stop may be lost inside grpc, which then waits for it
        # to the end of the grace: nobody runs it, so it is cut off.
        await asyncio.wait([stopping], timeout=FLUSH_TIMEOUT_S)
        await self.grpc.stop(0)
        await stopping
        log.info("stopped")


def _options(settings: ServerSettings, *, is_shared: bool) -> list[tuple[str, int]]:
    """What grpc is told. It says nothing of options that it does not know, so that a test holds their names against its own."""
    options = [
        # With it on, as is grpc's default, a second server on the port would silently take half of the calls.
        ("grpc.so_reuseport", int(is_shared)),
        ("grpc.max_receive_message_length", settings.message_size_max_bytes),
        # Beyond the first of these grpc refuses the more calls the larger they are, beyond the second one all.
        ("grpc.max_metadata_size", settings.metadata_size_max_bytes),
        ("grpc.absolute_max_metadata_size", settings.metadata_size_max_bytes),
        ("grpc.server.max_pending_requests", CALLS_UNSEEN_MAX),
        ("grpc.server.max_pending_requests_hard_limit", CALLS_UNSEEN_MAX),
        ("grpc.max_allowed_incoming_connections", settings.connections_max),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(settings.keepalive_interval_min_s)),
        ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ]
    if settings.streams_of_a_connection_max:
        options.append(("grpc.max_concurrent_streams", settings.streams_of_a_connection_max))
    if settings.connection_age_s:
        options += [
            ("grpc.max_connection_age_ms", _ms(settings.connection_age_s)),
            ("grpc.max_connection_age_grace_ms", _ms(settings.connection_age_grace_s)),
        ]
    if settings.connection_idle_s:
        options.append(("grpc.max_connection_idle_ms", _ms(settings.connection_idle_s)))
    return options


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1_000))


def _spare_the_garbage_collector() -> None:
    """Takes what lives as long as the process out of the collector's sight, and lets it look more rarely: calls leave few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


async def _first_of(waiting: Coroutine[Any, Any, Any], task: asyncio.Task[None]) -> None:
    """Waits for either; an error of the task ends the process instead of leaving it half alive."""
    waiter = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait([waiter, task], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        await cancelled_quietly(waiter)


async def _with_unseen_errors_told(main: Coroutine[Any, Any, None]) -> None:
    """By itself asyncio would log the whole text of an error that nobody has asked for."""
    asyncio.get_running_loop().set_exception_handler(_tell_unseen_error)
    await main


def _tell_unseen_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    trace = None if error is None else error.__traceback__
    log.error("an error was seen by nobody", error=type(error).__name__, trace=frames(trace))


def run_process(main: Coroutine[Any, Any, None]) -> None:
    """Runs a service's main coroutine on uvloop where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - optional: Windows and PyPy have none.
    except ImportError:
        asyncio.run(_with_unseen_errors_told(main))
    else:
        uvloop.run(_with_unseen_errors_told(main))
