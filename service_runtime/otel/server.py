"""Spans of the calls that a server answers."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from opentelemetry.trace import SpanContext, SpanKind

from service_runtime import tracing
from service_runtime.call_context import code_of, id_of
from service_runtime.otel.spans import OtelSpan, Spans, remote
from service_runtime.trace_parent import HEADER, TraceParent

Handler = Any  # grpc has no type for handlers of its asyncio server.
Context = grpc.aio.ServicerContext[Any, Any]
# Health and reflection: grpc's own services, asked by machines all day.
NOT_TRACED = "/grpc."
STATE_HEADER = "tracestate"
HEADERS = frozenset({HEADER, STATE_HEADER})
# What the semantic conventions count as a server's error; the other codes are the caller's own affair.
FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class TracingInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of calls that are traced, and leaves all others as they are."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Handler:
        """Decides by the call's metadata alone whether it is traced."""
        handler = await continuation(details)
        headers = {key: str(value) for key, value in details.invocation_metadata or () if key in HEADERS}
        parent = TraceParent.read(headers.get(HEADER))
        if handler is None or not self._spans.wants(parent) or details.method.startswith(NOT_TRACED):
            return handler
        context = None if parent is None else remote(parent, headers.get(STATE_HEADER))
        return self._wrap(handler, details.method, context)

    def _wrap(self, handler: Handler, method: str, parent: SpanContext | None) -> Handler:
        if handler.unary_unary is not None:
            return handler._replace(unary_unary=self._answering(handler.unary_unary, method, parent))
        [kind] = [kind for kind in ("unary_stream", "stream_stream") if getattr(handler, kind) is not None]
        behaviour = getattr(handler, kind)
        # Health's Watch, for one, writes its answers to the context instead of yielding them.
        writes = inspect.iscoroutinefunction(behaviour)
        wrap = self._answering if writes else self._yielding
        return handler._replace(**{kind: wrap(behaviour, method, parent)})

    def _answering(
        self, behaviour: Callable[[Any, Context], Awaitable[Any]], method: str, parent: SpanContext | None
    ) -> Callable[[Any, Context], Any]:
        async def answer(request: Any, context: Context) -> Any:
            span = self._begin(method, parent)
            try:
                response = await behaviour(request, context)
                for name, value in id_of(response).items():
                    span.note(name, value)
                return response
            finally:
                _end(span, context)

        return answer

    def _yielding(
        self, behaviour: Callable[[Any, Context], AsyncIterator[Any]], method: str, parent: SpanContext | None
    ) -> Callable[[Any, Context], Any]:
        async def answers(requests: Any, context: Context) -> AsyncIterator[Any]:
            span = self._begin(method, parent)
            try:
                async for message in behaviour(requests, context):
                    yield message
            finally:
                _end(span, context)

        return answers

    def _begin(self, method: str, parent: SpanContext | None) -> OtelSpan:
        """Starts a call's span, the current one from here on: each call has a task of its own, which ends with it."""
        service, _, name = method.removeprefix("/").partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        span = self._spans.start(f"{service}/{name}", SpanKind.SERVER, parent=parent, attributes=attributes)
        tracing.current.set(span)
        return span


def _end(span: OtelSpan, context: Context) -> None:
    code = code_of(context)
    span.set("rpc.grpc.status_code", code.value[0])
    if code in FAULTS:
        span.fail_as(code.name)
    span.end()
