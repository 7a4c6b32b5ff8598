"""Spans of the calls that a service makes to its neighbours, and the word of them that goes along."""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from opentelemetry.trace import SpanKind

from service_runtime import tracing
from service_runtime.otel.spans import OtelSpan, Spans
from service_runtime.trace_parent import HEADER, TraceParent

Metadata = Sequence[tuple[str, str]]
STATE_HEADER = "tracestate"


class TracedChannel:
    """A channel whose calls are traced if the ones that make them are.

    It is no interceptor, since grpc.aio makes a task of each call that has one. Where there is nothing to record it says so, so that the
    neighbour does not decide anew.
    """

    def __init__(self, channel: grpc.aio.Channel, *, spans: Spans) -> None:
        self._channel = channel
        self._spans = spans

    def __getattr__(self, name: str) -> Any:
        """All else is the channel's own."""
        return getattr(self._channel, name)

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.__aexit__(kind, error, trace)

    def unary_unary(self, method: str, *arguments: Any, **options: Any) -> Callable[..., Awaitable[Any]]:
        """A method of one answer."""
        ask = self._channel.unary_unary(method, *arguments, **options)
        return _TracedMethod(ask, method.removeprefix("/"), self._spans)


class _TracedMethod:
    def __init__(self, ask: Callable[..., Awaitable[Any]], name: str, spans: Spans) -> None:
        service, _, method = name.partition("/")
        self._ask = ask
        self._name = name
        self._attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        self._spans = spans

    def __call__(self, request: Any, *, metadata: Metadata = (), **options: Any) -> Awaitable[Any]:
        parent = tracing.current.get()
        if isinstance(parent, OtelSpan):
            return self._traced(request, parent, metadata, options)
        return self._ask(request, metadata=(*metadata, (HEADER, str(TraceParent.unsampled()))), **options)

    async def _traced(self, request: Any, parent: OtelSpan, metadata: Metadata, options: dict[str, Any]) -> Any:
        span = self._spans.start(self._name, SpanKind.CLIENT, parent=parent.context, attributes=self._attributes)
        code = grpc.StatusCode.OK
        with self._spans.step(span):
            try:
                return await self._ask(request, metadata=(*metadata, *_headers(span)), **options)
            except grpc.aio.AioRpcError as error:
                code = error.code()
                raise
            finally:
                span.set("rpc.grpc.status_code", code.value[0])


def _headers(span: OtelSpan) -> Metadata:
    """What tells a neighbour of a span."""
    state = span.context.trace_state.to_header()
    return ((HEADER, span.trace_parent()), *(((STATE_HEADER, state),) if state else ()))
