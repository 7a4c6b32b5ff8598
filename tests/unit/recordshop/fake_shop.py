"""The three services at the wire, played from a script."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from recordshop.catalog.v1 import catalog_pb2_grpc, stock_pb2_grpc
from recordshop.customer.v1 import customer_pb2_grpc
from recordshop.order.v1 import order_pb2_grpc


class End:
    """The end of a stream, with OK."""


class Silence:
    """An answer that never comes."""


Answer = Message | Silence | End | Callable[[Any], Message | Silence]


class FakeShop:
    """A server with all services, each method of which gives the script's next answer; the last one stays for ever."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.requests: list[Any] = []
        self.times_s: list[float] = []
        self.called = asyncio.Event()
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        order_pb2_grpc.add_OrderServiceServicer_to_server(
            self._played(order_pb2_grpc.OrderServiceServicer), self._server
        )
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(
            self._played(catalog_pb2_grpc.CatalogServiceServicer), self._server
        )
        stock_pb2_grpc.add_StockServiceServicer_to_server(
            self._played(stock_pb2_grpc.StockServiceServicer), self._server
        )
        customer_pb2_grpc.add_CustomerServiceServicer_to_server(
            self._played(customer_pb2_grpc.CustomerServiceServicer), self._server
        )

    async def start(self, port: int = 0) -> "FakeShop":
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        await self._server.start()
        return self

    async def die(self) -> None:
        await self._server.stop(None)

    def _played(self, base: Any) -> Any:
        methods = {
            name: staticmethod(self._play_stream if name.startswith("Watch") else self._play)
            for name in dir(base)
            if not name.startswith("_")
        }
        return type(base.__name__, (base,), methods)()

    async def _play(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        scripted = self.script[min(len(self.requests), len(self.script) - 1)]
        self.requests.append(request)
        self.times_s.append(time.monotonic())
        self.called.set()
        answer = scripted(request) if callable(scripted) else scripted
        while isinstance(answer, Silence):
            await asyncio.Event().wait()
        if isinstance(answer, status_pb2.Status):
            await context.abort_with_status(rpc_status.to_status(answer))
        return answer

    async def _play_stream(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
        """Plays the script from where it is: messages, until one ends the stream as a status, or as a silence."""
        self.requests.append(request)
        self.times_s.append(time.monotonic())
        while True:
            answer = self.script.pop(0)
            if isinstance(answer, Silence):
                await asyncio.Event().wait()
            elif isinstance(answer, status_pb2.Status):
                await context.abort_with_status(rpc_status.to_status(answer))
            elif isinstance(answer, End):
                return
            else:
                yield answer


def lost() -> status_pb2.Status:
    """What a client sees of an attempt that nobody answered in time."""
    return status_pb2.Status(code=grpc.StatusCode.DEADLINE_EXCEEDED.value[0], message="Deadline Exceeded")


def failed(
    code: grpc.StatusCode,
    reason: str = "",
    *,
    domain: str = "recordshop",
    violations: list[tuple[str, str]] | None = None,
    retry_after_s: float | None = None,
    **metadata: str,
) -> status_pb2.Status:
    """A failure as a service puts it on the wire."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)]
    if violations is not None:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
            for field, description in violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=fields))
    if retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(retry_after_s * 1000))
        details.append(retry)
    status = status_pb2.Status(code=code.value[0], message=f"because of {reason}")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status
