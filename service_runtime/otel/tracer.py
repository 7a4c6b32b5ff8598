"""What `service_runtime.tracing` asks for, where tracing is on."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import grpc

from service_runtime.otel.channel import TracedChannel
from service_runtime.otel.server import TracingInterceptor
from service_runtime.otel.spans import OtelSpan, Spans
from service_runtime.otel.statements import TracedConnection
from service_runtime.trace_parent import TraceParent


class OtelTracer:
    """Traces a service's calls, its groups, its calls to neighbours and its statements."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def interceptor(self) -> grpc.aio.ServerInterceptor:
        """Gives each call that is to be traced its span."""
        return TracingInterceptor(self._spans)

    def channel(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        """Gives calls to a neighbour their spans, and tells the neighbour of them."""
        return cast("grpc.aio.Channel", TracedChannel(channel, spans=self._spans))

    def connection(self, connection: Any, parent: Any) -> Any:
        """Gives each statement its span."""
        return TracedConnection(connection, spans=self._spans, parent=parent)

    def group(self, spans: Sequence[Any], size: int) -> AbstractContextManager[OtelSpan]:
        """Gives work that is done for several at once one span: the first one's child, linked with all of them, both ways."""
        return self._spans.group(spans, size)

    def linked(self, name: str, origins: Sequence[str]) -> AbstractContextManager[OtelSpan | None]:
        """Gives work that others began a span in a trace of its own, linked to where it began."""
        read = [TraceParent.read(origin) for origin in origins]
        return self._spans.linked(name, [origin for origin in read if origin is not None])
