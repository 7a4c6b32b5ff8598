"""A collector in the test: takes what services send by OTLP over gRPC, and answers what it got."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

ARRIVE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class ReceivedSpan:
    """A span, and who sent it; ids are hexadecimal."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: frozenset[tuple[str, str]]
    attributes: Mapping[str, Any]
    is_error: bool
    resource: Mapping[str, Any]
    flags: int = 0

    @property
    def ids(self) -> tuple[str, str]:
        """What a link to it names."""
        return self.trace_id, self.span_id

    @property
    def service(self) -> str:
        """The name of the service that sent it."""
        return str(self.resource["service.name"])


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _span(span: trace_pb2.Span, resource: Mapping[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=frozenset((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        attributes=_attributes(span.attributes),
        is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        resource=resource,
    )


@dataclass
class OtlpReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps all spans that arrive, and the bytes that they came in."""

    spans: list[ReceivedSpan] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a service send its spans here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}

    async def Export(  # noqa: N802 - as in the proto.
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Takes a batch."""
        self.requests.append(request.SerializeToString())
        for resource_spans in request.resource_spans:
            resource = _attributes(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans += [_span(span, resource) for span in scope_spans.spans]
        async with self.arrived:
            self.arrived.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    async def until(self, is_enough: Callable[[list[ReceivedSpan]], bool]) -> list[ReceivedSpan]:
        """Waits until enough has arrived, and answers all of it."""
        async with self.arrived:
            try:
                await asyncio.wait_for(self.arrived.wait_for(lambda: is_enough(self.spans)), ARRIVE_TIMEOUT_S)
            except TimeoutError:
                raise AssertionError(f"only {[(span.service, span.name) for span in self.spans]} arrived") from None
        return list(self.spans)

    async def trace(self, trace_id: str, *, is_whole: Callable[[list[ReceivedSpan]], bool]) -> list[ReceivedSpan]:
        """Waits until the spans of one trace are whole, and answers them."""

        def mine(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
            return [span for span in spans if span.trace_id == trace_id]

        return mine(await self.until(lambda spans: is_whole(mine(spans))))


@asynccontextmanager
async def otlp_receiver(port: int = 0) -> AsyncIterator[OtlpReceiver]:
    """Runs a collector on a port of 127.0.0.1, a free one unless given."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    receiver = OtlpReceiver()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    receiver.port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield receiver
    finally:
        await server.stop(0)
