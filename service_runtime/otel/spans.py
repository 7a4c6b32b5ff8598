"""A span as the rest of the process sees it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from service_runtime import tracing
from service_runtime.errors import ServiceError
from service_runtime.otel.sampling import Sampling
from service_runtime.trace_parent import TraceParent

Attributes = Mapping[str, str | int]
OWN = "recordshop."
GROUP = "group commit"
GROUP_SIZE = "recordshop.group.size"
ERROR_TYPE = "error.type"


class OtelSpan:
    """A span that is recorded."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def context(self) -> SpanContext:
        """The span's ids."""
        return self._span.get_span_context()

    def trace_parent(self) -> str:
        """Names this span to others, as W3C's traceparent."""
        context = self.context
        return str(TraceParent(context.trace_id, context.span_id, is_sampled=True))

    def note(self, name: str, value: str | int) -> None:
        """Adds an attribute of our own."""
        self._span.set_attribute(OWN + name, value)

    def set(self, name: str, value: str | int) -> None:
        """Adds an attribute of the semantic conventions."""
        self._span.set_attribute(name, value)

    def link(self, other: SpanContext) -> None:
        """Links to another span, unless this one has ended: its caller has gone, and the work goes on."""
        if self._span.is_recording():
            self._span.add_link(other)

    def fail(self, error: BaseException) -> None:
        """Marks that the step failed, by the error's kind. Not by its text: a database's messages quote the rows they are about."""
        self._span.set_attribute(ERROR_TYPE, error.reason if isinstance(error, ServiceError) else type(error).__name__)
        self._span.set_status(Status(StatusCode.ERROR))

    def fail_as(self, code: str) -> None:
        """Marks that a call was answered with a code that tells of a fault."""
        self._span.set_attribute(ERROR_TYPE, code)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """Ends the span."""
        self._span.end()


class Spans:
    """Makes spans, by an SDK that records all that it is asked for: whether they are wanted is decided before."""

    def __init__(self, *, tracer: trace.Tracer, sampling: Sampling) -> None:
        self._tracer = tracer
        self.wants = sampling.wants

    def start(
        self,
        name: str,
        kind: SpanKind,
        *,
        parent: SpanContext | None,
        links: Sequence[SpanContext] = (),
        attributes: Attributes | None = None,
    ) -> OtelSpan:
        """Starts a span; without a parent it is the first of a new trace."""
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent or trace.INVALID_SPAN_CONTEXT))
        return OtelSpan(
            self._tracer.start_span(
                name, context, kind, attributes, [Link(link) for link in links], record_exception=False
            )
        )

    @contextmanager
    def step(self, span: OtelSpan) -> Iterator[OtelSpan]:
        """Ends a span at the end of the block, with the kind of error that leaves it."""
        try:
            yield span
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            span.end()

    @contextmanager
    def current(self, span: OtelSpan) -> Iterator[OtelSpan]:
        """Ends a span like `step`; what is done in the block belongs to it."""
        token = tracing.current.set(span)
        try:
            with self.step(span):
                yield span
        finally:
            tracing.current.reset(token)

    @contextmanager
    def group(self, members: Sequence[OtelSpan], size: int) -> Iterator[OtelSpan]:
        """A span for what is done for several calls at once.

        It is the first one's child, so that a caller alone has all of it in one trace, and is linked with all of them, both ways: where a
        limit cuts the group's links, those of its members remain.
        """
        contexts = [member.context for member in members]
        span = self.start(GROUP, SpanKind.INTERNAL, parent=contexts[0], links=contexts, attributes={GROUP_SIZE: size})
        for member in members:
            member.link(span.context)
        with self.current(span):
            yield span

    @contextmanager
    def linked(self, name: str, origins: Sequence[TraceParent]) -> Iterator[OtelSpan | None]:
        """A span in a trace of its own for what others began, perhaps long ago; None if it is not recorded."""
        links = [remote(origin) for origin in origins if origin.is_sampled]
        if not (links or (not origins and self.wants(None))):
            yield None
            return
        with self.current(self.start(name, SpanKind.INTERNAL, parent=None, links=links)) as span:
            yield span


def remote(parent: TraceParent, state: str | None = None) -> SpanContext:
    """A span of another process."""
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    trace_state = TraceState.from_header([state]) if state else TraceState()
    return SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags, trace_state=trace_state)
