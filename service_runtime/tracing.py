"""Where traces touch the rest: functions that do nothing in a process that does not trace.

What they do in one that does stands in `service_runtime.otel`, which nobody else imports: without tracing there is no OpenTelemetry in the
process, no interceptor, and no wrapper around a channel or a connection. Whether a call is traced is decided once, where it enters, before
any span is made; below that a call that is not traced has no current span, and costs no more than looking that up.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Protocol, TypeVar

import grpc

Connection = TypeVar("Connection")


class Span(Protocol):
    """A step of a call that is traced."""

    def trace_parent(self) -> str:
        """Names this span to others, as W3C's traceparent."""

    def note(self, name: str, value: str | int) -> None:
        """Adds an attribute. It holds an id or a figure, never a person's data."""


class Tracer(Protocol):
    """What is done where tracing is on."""

    def interceptor(self) -> grpc.aio.ServerInterceptor:
        """Gives each call that is to be traced its span."""

    def channel(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        """Gives calls to a neighbour their spans, and tells the neighbour of them."""

    def connection(self, connection: Connection, parent: Span) -> Connection:
        """Gives each statement its span."""

    def group(self, spans: Sequence[Span], size: int) -> AbstractContextManager[object]:
        """Gives work that is done for several at once one span: the first one's child, linked with all of them, both ways."""

    def linked(self, name: str, origins: Sequence[str]) -> AbstractContextManager[object]:
        """Gives work that others began a span in a trace of its own, linked to where it began."""


current: ContextVar[Span | None] = ContextVar("current_span", default=None)
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Switches tracing on, before anything is built that it touches; None switches it off."""
    global _tracer  # noqa: PLW0603 - one process traces or does not, and the steps must not carry that around.
    _tracer = tracer


def interceptors() -> list[grpc.aio.ServerInterceptor]:
    """Interceptors to put around all others of a server."""
    return [] if _tracer is None else [_tracer.interceptor()]


def traced_channel(channel: grpc.aio.Channel) -> grpc.aio.Channel:
    """The channel, its calls traced with those that make them."""
    return channel if _tracer is None else _tracer.channel(channel)


def traced_connection(connection: Connection) -> Connection:
    """The connection, its statements traced if the call that borrows it is."""
    span = current.get()
    return connection if span is None or _tracer is None else _tracer.connection(connection, span)


def group_span(spans: Sequence[Span | None], size: int) -> AbstractContextManager[object]:
    """A block that works for several calls at once, each with its span or None."""
    traced = list(dict.fromkeys(span for span in spans if span is not None))
    return nullcontext() if _tracer is None or not traced else _tracer.group(traced, size)


def linked_span(name: str, *origins: str | None) -> AbstractContextManager[object]:
    """A block that goes on with what was begun elsewhere: origins are what `trace_parent` answered there."""
    return nullcontext() if _tracer is None else _tracer.linked(name, [origin for origin in origins if origin])


def trace_parent() -> str | None:
    """Names the current span, to be kept with work that somebody else may have to go on with; None without one."""
    span = current.get()
    return None if span is None else span.trace_parent()


def note(name: str, value: str | int) -> None:
    """Adds an attribute to the current span, if there is one."""
    span = current.get()
    if span is not None:
        span.note(name, value)
