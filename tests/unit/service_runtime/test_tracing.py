"""What tracing does, and does not do, to calls that nobody traces."""

from contextvars import copy_context
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind

from service_runtime import tracing
from service_runtime.otel.channel import TracedChannel
from service_runtime.otel.sampling import SampledIds, Sampling
from service_runtime.otel.server import TracingInterceptor
from service_runtime.otel.spans import OtelSpan, Spans
from service_runtime.otel.statements import summary_of
from service_runtime.otel.tracer import OtelTracer
from service_runtime.trace_parent import TraceParent

SAMPLED, UNSAMPLED = f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'b' * 16}-00"
HANDLER = grpc.unary_unary_rpc_method_handler(lambda request, context: None)


def spans(sampler: str, share: float = 0.0) -> Spans:
    """Spans whose SDK must not be asked for one."""
    return Spans(tracer=Mock(spec=[]), sampling=Sampling(sampler=sampler, share=share))


async def handler_of(interceptor: TracingInterceptor, traceparent: str | None, method: str = "/s/M") -> Any:
    async def continuation(_: Any) -> Any:
        return HANDLER

    metadata = () if traceparent is None else (("traceparent", traceparent),)
    return await interceptor.intercept_service(
        continuation, SimpleNamespace(method=method, invocation_metadata=metadata)
    )


@pytest.mark.parametrize(
    ("sampler", "traceparent", "is_wrapped"),
    [
        ("parentbased_always_on", None, True),
        ("parentbased_always_on", SAMPLED, True),
        ("parentbased_always_on", UNSAMPLED, False),
        ("parentbased_always_on", "nonsense", True),
        ("parentbased_always_off", None, False),
        ("parentbased_always_off", SAMPLED, True),
        ("parentbased_traceidratio", None, False),
        ("parentbased_traceidratio", SAMPLED, True),
        ("always_on", UNSAMPLED, True),
        ("always_off", SAMPLED, False),
        ("traceidratio", SAMPLED, False),
    ],
)
async def test_a_call_that_is_not_sampled_keeps_its_handler_as_it_is(
    sampler: str, traceparent: str | None, *, is_wrapped: bool
) -> None:
    handler = await handler_of(TracingInterceptor(spans(sampler)), traceparent)
    assert (handler is not HANDLER) == is_wrapped


async def test_health_and_reflection_are_never_traced() -> None:
    interceptor = TracingInterceptor(spans("always_on"))
    assert await handler_of(interceptor, SAMPLED, "/grpc.health.v1.Health/Check") is HANDLER


def test_the_share_of_calls_without_a_parent_is_as_set() -> None:
    sampling = Sampling(sampler="parentbased_traceidratio", share=0.25)
    chosen = sum(sampling.wants(None) for _ in range(20_000))
    assert 4_600 < chosen < 5_400


def test_whoever_decides_by_the_trace_id_decides_as_other_sdks_do() -> None:
    ours, theirs = Sampling(sampler="traceidratio", share=0.3), TraceIdRatioBased(0.3)
    ids = SampledIds(Sampling(sampler="always_on", share=0).bound)
    for trace_id in (ids.generate_trace_id() for _ in range(1_000)):
        theirs_says = theirs.should_sample(None, trace_id, "name").decision.is_sampled()
        assert ours.wants(TraceParent(trace_id, 1, is_sampled=False)) == theirs_says


def test_the_id_of_a_trace_that_was_chosen_is_one_that_others_would_choose() -> None:
    theirs, ids = TraceIdRatioBased(0.01), SampledIds(Sampling(sampler="traceidratio", share=0.01).bound)
    assert all(theirs.should_sample(None, ids.generate_trace_id(), "name").decision.is_sampled() for _ in range(1_000))


async def test_who_is_not_traced_tells_its_neighbours_so() -> None:
    asked = []

    async def ask(request: Any, *, metadata: Any) -> str:
        asked.append(TraceParent.read(dict(metadata)["traceparent"]))
        return request

    channel = Mock(unary_unary=Mock(return_value=ask))
    method = TracedChannel(channel, spans=spans("always_on")).unary_unary("/s/M")
    assert await method("question") == "question"
    [parent] = asked
    assert parent is not None
    assert not parent.is_sampled


def test_without_tracing_nothing_is_wrapped() -> None:
    thing = Mock()
    assert tracing.interceptors() == []
    assert tracing.traced_channel(thing) is thing
    assert tracing.traced_connection(thing) is thing
    assert tracing.trace_parent() is None
    with tracing.group_span([None], 1), tracing.linked_span("recovery", SAMPLED):
        assert tracing.current.get() is None


def test_with_tracing_a_connection_is_wrapped_only_for_a_call_that_is_traced() -> None:
    def borrow() -> None:
        thing = Mock()
        tracing.install(OtelTracer(spans("always_on")))
        try:
            assert tracing.traced_connection(thing) is thing
            tracing.current.set(OtelSpan(Mock()))
            assert tracing.traced_connection(thing) is not thing
        finally:
            tracing.install(None)

    copy_context().run(borrow)


def test_a_member_of_a_group_that_has_ended_is_linked_one_way_and_nobody_complains(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sdk = TracerProvider(shutdown_on_exit=False)
    made = Spans(tracer=sdk.get_tracer("test"), sampling=Sampling(sampler="always_on", share=1))
    members = [made.start("call", kind, parent=None) for kind in [SpanKind.SERVER] * 2]
    members[0].end()
    with made.group(members, 2) as group:
        assert tracing.current.get() is group
    assert [link.context for link in group._span.links] == [member.context for member in members]
    assert [len(member._span.links) for member in members] == [0, 1]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("SELECT * FROM a WHERE id = $1 FOR NO KEY UPDATE", "SELECT a"),
        ("INSERT INTO a (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET x = 1", "INSERT a"),
        ("WITH gone AS (\n  DELETE FROM b WHERE id = $1 -- FROM c\n) SELECT * FROM gone", "DELETE b"),
        ("SELECT * FROM reserve_stock($1, $2)", "SELECT reserve_stock"),
        ("COPY orders", "COPY orders"),
        ("COMMIT", "COMMIT"),
    ],
)
def test_a_statement_is_named_by_what_it_does(statement: str, summary: str) -> None:
    assert summary_of(statement) == summary
