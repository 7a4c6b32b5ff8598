"""The outermost layer of every call: errors become statuses, and slow and failed calls become log lines."""

import asyncio
import inspect
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from service_runtime import tracing
from service_runtime.access import Gate, OpenGate
from service_runtime.call_context import code_of, current_call, id_of
from service_runtime.call_metrics import count_unknown, counted
from service_runtime.errors import (
    DeadlineForced,
    Internal,
    InvalidArgument,
    Overloaded,
    ServiceError,
    ShareUsedUp,
    Violation,
)
from service_runtime.fair_calls import FairCalls
from service_runtime.logs import frames
from service_runtime.metrics import CallStats

Handler = Any  # grpc has no type for handlers of its asyncio server.
Context = grpc.aio.ServicerContext[Any, Any]
HEALTH = "/grpc.health.v1.Health/"
REFUSALS_TOLD_EVERY_S = 1.0
# Codes that tell the operator of a fault; the others are the caller's own affair.
FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})

log = structlog.get_logger(__name__)


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Answers ServiceErrors as google.rpc.Status, and anything unexpected as INTERNAL without a word of its text.

    A call of one answer whose caller gave no deadline is given call_timeout_s seconds.

    Beyond running_max calls at once it refuses with Overloaded; grpc's own limit would not say when to come again. Questions after the
    service's health are answered always: a busy service is not a sick one.
    """

    def __init__(
        self,
        *,
        running_max: int,
        call_timeout_s: float,
        slow_call_s: float,
        logged_share: float = 0.0,
        stats: CallStats | None = None,
        gate: Gate | OpenGate | None = None,
        fair_calls: FairCalls | None = None,
    ) -> None:
        self._gate = gate
        self._fair_calls = fair_calls
        self._stats = stats
        self._running_max = running_max
        self._call_timeout_s = call_timeout_s
        self._slow_call_s = slow_call_s
        self._logged_share = logged_share
        self._wrapped: dict[str, Handler] = {}
        self._running = 0
        self._refused: Counter[str] = Counter()
        self._refused_told_s: dict[str, float] = {}
        self._ended = asyncio.Event()

    async def idle(self) -> None:
        """Waits until no call runs."""
        while self._running:
            self._ended.clear()
            await self._ended.wait()

    def _begin(self, method: str, context: Context) -> str:
        current_call.set(context)
        # Counted first: whoever is refused here ends like everybody else.
        self._running += 1
        if self._running > self._running_max and not method.startswith(HEALTH):
            if self._stats is not None:
                self._stats.overloaded.add()
            raise Overloaded
        return ""

    def _beginning(self) -> Callable[[str, Context], str]:
        """How calls begin: where there is a gate it is next, then the caller's share. Answers whose share the call is counted in."""
        gate, fair_calls = self._gate, self._fair_calls
        if gate is None:
            return self._begin

        def begin(method: str, context: Context) -> str:
            self._begin(method, context)
            gate.admit(method, context)
            return "" if fair_calls is None else fair_calls.begin()

        return begin

    def _end(self, caller: str) -> None:
        self._running -= 1
        if self._fair_calls is not None and caller:
            self._fair_calls.end(caller)
        self._ended.set()

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps a method's handler once; there are as many as the server has methods."""
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            handler = await continuation(details)
            if handler is None:
                if self._stats is not None:
                    count_unknown(self._stats.of(details.method))
                return None
            wrapped = self._wrap(details.method, handler)
            if self._stats is not None:
                wrapped = counted(wrapped, self._stats.of(details.method))
            self._wrapped[details.method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: Handler) -> Handler:
        coders = (_decoder(handler.request_deserializer), handler.response_serializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary), *coders)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._streaming(method, handler.unary_stream), *coders)

        def read(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            answers: AsyncIterator[Any] = handler.stream_stream(_readable_messages(requests), context)
            return answers

        return grpc.stream_stream_rpc_method_handler(self._yielding(method, read), *coders)

    def _streaming(self, method: str, behaviour: Callable[[Any, Context], Any]) -> Callable[[Any, Context], Any]:
        """A streaming method yields its messages or, as health's Watch does, writes them to the context."""
        wrap = self._writing if inspect.iscoroutinefunction(behaviour) else self._yielding
        return wrap(method, behaviour)

    def _unary(self, method: str, behaviour: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Any]:
        begin = self._beginning()

        async def answer(request: Any, context: Context) -> Any:
            started_s, caller = time.perf_counter(), ""
            response = None
            try:
                caller = begin(method, context)
                answering = behaviour(_readable(request), context)
                response = await (answering if context.time_remaining() is not None else self._in_time(answering))
            except Exception as error:  # noqa: BLE001 - whatever it is, its text must not reach the caller.
                # A call of one answer need not be aborted, which would be one more exception: with an error no answer is sent.
                status = self._status(method, error)
                context.set_code(status.code)
                context.set_details(status.details)
                context.set_trailing_metadata(status.trailing_metadata)
            finally:
                self._end(caller)
                self._log_if_chosen(method, context, started_s, response, slow_call_s=self._slow_call_s)
            return response

        return answer

    async def _in_time(self, answering: Awaitable[Any]) -> Any:
        """Awaits the answer to a caller who gave no deadline; raises DeadlineForced when that takes too long."""
        # As asyncio.timeout does, at half its price: benchmarks give no deadline, and so do many tools.
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # A call is a task.
        is_late = False

        def end() -> None:
            nonlocal is_late
            is_late = True
            task.cancel()

        timer = asyncio.get_running_loop().call_later(self._call_timeout_s, end)
        try:
            return await answering
        except asyncio.CancelledError:
            # Somebody else may have cancelled it as well, and then it is theirs.
            if is_late and task.uncancel() == 0:
                raise DeadlineForced from None
            raise
        finally:
            timer.cancel()

    def _yielding(
        self, method: str, behaviour: Callable[[Any, Context], AsyncIterator[Any]]
    ) -> Callable[[Any, Context], Any]:
        begin = self._beginning()

        async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
            started_s, caller = time.perf_counter(), ""
            try:
                caller = begin(method, context)
                async for message in behaviour(_readable(request), context):
                    yield message
            except Exception as error:  # noqa: BLE001 - whatever it is, its text must not reach the caller.
                await self._abort(method, context, error)
            finally:
                self._end(caller)
                self._log_if_chosen(method, context, started_s)

        return answers

    def _writing(
        self, method: str, behaviour: Callable[[Any, Context], Awaitable[None]]
    ) -> Callable[[Any, Context], Any]:
        begin = self._beginning()

        async def write(request: Any, context: Context) -> None:
            caller = ""
            try:
                caller = begin(method, context)
                await behaviour(_readable(request), context)
            except Exception as error:  # noqa: BLE001 - whatever it is, its text must not reach the caller.
                await self._abort(method, context, error)
            finally:
                self._end(caller)

        return write

    async def _abort(self, method: str, context: Context, error: Exception) -> None:
        await context.abort_with_status(self._status(method, error))

    def _status(self, method: str, error: Exception) -> grpc.Status:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        answer = error if isinstance(error, ServiceError) else Internal()
        tracing.note("reason", answer.reason)
        if answer is not error:
            log.error("call failed", method=method, error=type(error).__name__, trace=frames(error.__traceback__))
        elif isinstance(answer, Overloaded | ShareUsedUp):
            self._log_refusal(method, "overloaded" if isinstance(answer, Overloaded) else "a caller's share is used up")
        elif answer.code in FAULTS:
            log.warning("call refused", method=method, code=answer.code.name, reason=answer.reason, **_ids(answer))
        status: grpc.Status = rpc_status.to_status(answer.to_status())
        return status

    def _log_refusal(self, method: str, text: str) -> None:
        """A line for each would be more work than the refusals."""
        self._refused[text] += 1
        now_s = time.monotonic()
        if now_s - self._refused_told_s.get(text, 0.0) >= REFUSALS_TOLD_EVERY_S:
            log.warning(text, refused=self._refused.pop(text), method=method)
            self._refused_told_s[text] = now_s

    def _log_if_chosen(
        self, method: str, context: Context, started_s: float, response: Any = None, *, slow_call_s: float = math.inf
    ) -> None:
        """Slow calls always, and a share of the rest. A stream is not slow, however long it lasts."""
        elapsed_s = time.perf_counter() - started_s
        is_slow = elapsed_s >= slow_call_s
        if is_slow or (self._logged_share and random.random() < self._logged_share):  # noqa: S311 - a sample.
            write, text = (log.warning, "slow call") if is_slow else (log.info, "call")
            code = code_of(context).name
            write(text, method=method, code=code, elapsed_s=round(elapsed_s, 4), **id_of(response))


class _Malformed:
    """Stands for bytes that are no message, until the call is in the hands of the interceptor."""


MALFORMED = _Malformed()


def _decoder(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Keeps grpc from answering the decoder's error, which names classes and says nothing that a caller could do."""

    def decoded(message: bytes) -> Any:
        try:
            return decode(message)
        except DecodeError:
            return MALFORMED

    return decoded


def _readable(request: Any) -> Any:
    """A request whose bytes were a message; raises InvalidArgument for another."""
    if request is MALFORMED:
        raise InvalidArgument([Violation("request", "is not a message of the method's type")])
    return request


async def _readable_messages(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


def _ids(answer: ServiceError) -> dict[str, str]:
    return {name: value for name, value in answer.metadata.items() if name.endswith("_id")}
