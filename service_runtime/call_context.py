"""Which call something is done for: so that the log lines of one call can be found together."""

from contextvars import ContextVar
from typing import Any

import grpc

from service_runtime import tracing
from service_runtime.trace_parent import HEADER, TraceParent

CODES = {code.value[0]: code for code in grpc.StatusCode}
# Of the call whose task this is. Its metadata are only looked at when there is something to tell: most calls leave no line.
current_call: ContextVar["grpc.aio.ServicerContext[Any, Any] | None"] = ContextVar("current_call", default=None)


def trace_id() -> str | None:
    """The id of the trace: the one that is recorded here, else the one that the caller said it has, else None."""
    named = tracing.trace_parent()
    if named is None:
        call = current_call.get()
        metadata = () if call is None else call.invocation_metadata() or ()
        named = next((str(value) for key, value in metadata if key == HEADER), None)
    parent = TraceParent.read(named)
    return None if parent is None else f"{parent.trace_id:032x}"


def code_of(call: "grpc.aio.ServicerContext[Any, Any]") -> grpc.StatusCode:
    """How a call was answered, as far as it was."""
    if call.cancelled():
        return grpc.StatusCode.CANCELLED
    # Whatever its type says: a code as it was set, a number where grpc set one, and nothing as long as all is well.
    code: Any = call.code()
    return code if isinstance(code, grpc.StatusCode) else CODES.get(code or 0, grpc.StatusCode.UNKNOWN)


def id_of(answer: Any) -> dict[str, str]:
    """The id of what was answered, named by its kind, as in `order_id`; nothing where the answer is not one thing that has an id."""
    if answer is None or "id" not in answer.DESCRIPTOR.fields_by_name:
        return {}
    return {f"{answer.DESCRIPTOR.name.lower()}_id": answer.id}
