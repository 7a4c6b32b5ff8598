"""Calls as they are counted: outside of all that handles them, so that what the caller sees is what counts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from service_runtime.metrics import MethodStats

Handler = Any  # grpc has no type for handlers of its asyncio server.
Context = grpc.aio.ServicerContext[Any, Any]
OK: int = grpc.StatusCode.OK.value[0]
CANCELLED: int = grpc.StatusCode.CANCELLED.value[0]
DEADLINE_EXCEEDED: int = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
UNIMPLEMENTED: int = grpc.StatusCode.UNIMPLEMENTED.value[0]


def counted(handler: Handler, stats: MethodStats) -> Handler:
    """Wraps a handler so that its calls are counted."""
    coders = (handler.request_deserializer, handler.response_serializer)
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(_awaited(handler.unary_unary, stats), *coders)
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler(_iterated(handler.stream_stream, stats), *coders)
    # A method that yields its answers, or one that writes them, as health's Watch does.
    wrap = _awaited if asyncio.iscoroutinefunction(handler.unary_stream) else _iterated
    return grpc.unary_stream_rpc_method_handler(wrap(handler.unary_stream, stats), *coders)


def count_unknown(stats: MethodStats) -> None:
    """Counts a call of a method that there is not; grpc answers it."""
    stats.end(UNIMPLEMENTED, stats.begin())


def _awaited(
    behaviour: Callable[[Any, Context], Awaitable[Any]], stats: MethodStats
) -> Callable[[Any, Context], Awaitable[Any]]:
    async def answer(request: Any, context: Context) -> Any:
        began_s = stats.begin()
        code = CANCELLED
        try:
            response = await behaviour(request, context)
            code = _code(context)
        except asyncio.CancelledError:
            code = _code_of_cancelled(context)
            raise
        except BaseException:
            code = _code(context)
            raise
        else:
            return response
        finally:
            stats.end(code, began_s)

    return answer


def _iterated(
    behaviour: Callable[[Any, Context], AsyncIterator[Any]], stats: MethodStats
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
        began_s = stats.begin()
        # Closed before its end: the caller has gone.
        code = CANCELLED
        try:
            async for message in behaviour(request, context):
                yield message
            code = _code(context)
        except asyncio.CancelledError:
            code = _code_of_cancelled(context)
            raise
        except Exception:
            code = _code(context)
            raise
        finally:
            stats.end(code, began_s)

    return answers


def _code(context: Context) -> int:
    """The code that a call ends with: none was set where all is well."""
    code: Any = context.code()
    if not code:
        return OK
    return int(code.value[0]) if isinstance(code, grpc.StatusCode) else int(code)


def _code_of_cancelled(context: Context) -> int:
    """A handler is cancelled when its caller gives up, and when the caller's time is over."""
    remaining_s = context.time_remaining()
    return CANCELLED if remaining_s is None or remaining_s > 0 else DEADLINE_EXCEEDED
