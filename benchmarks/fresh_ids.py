"""Makes new orders of a load whose requests are all the same, as h2load's are."""

import itertools
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import grpc

from benchmarks.props import ANY_DISC, ANY_EMPTY_DISC, Props
from recordshop.order.v1 import order_pb2

SERVICE = order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
Handler = Any  # grpc has no type for handlers of its asyncio server.

# The orders in a request, by the method that takes it.
ORDERS: dict[str, Callable[[Any], Iterable[order_pb2.CreateOrderRequest]]] = {
    f"/{SERVICE}/CreateOrder": lambda request: (request,),
    f"/{SERVICE}/BatchCreateOrders": lambda request: request.requests,
    f"/{SERVICE}/PlaceOrders": lambda request: request.requests,
}


class FreshIds(grpc.aio.ServerInterceptor):
    """Gives each order that comes in a request_id of its own, and the next customer in turn.

    A disc id that stands for any of several becomes one of them.

    It works where a message is decoded, so that it adds no step to a call.
    """

    def __init__(self, *, customer_ids: Sequence[str], discs: Mapping[str, Sequence[str]]) -> None:
        self._run = uuid4().hex[:12]
        self._numbers = itertools.count()
        self._customer_ids = itertools.cycle(customer_ids)
        self._discs = discs
        self._handlers: dict[str, Handler] = {}

    @classmethod
    def of(cls, props: Props) -> "FreshIds":
        """Let the customers of the benchmark buy its discs."""
        discs = {ANY_DISC: props.disc_ids, ANY_EMPTY_DISC: props.empty_disc_ids}
        return cls(customer_ids=props.customer_ids, discs=discs)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Handler:
        """Exchange a method's decoder once; there are as many as the server has methods."""
        handler = self._handlers.get(details.method)
        if handler is None:
            handler = await continuation(details)
            orders = ORDERS.get(details.method)
            if handler is None or orders is None:
                return handler
            decode = self._renewing(handler.request_deserializer, orders)
            handler = self._handlers[details.method] = handler._replace(request_deserializer=decode)
        return handler

    def _renewing(
        self, decode: Callable[[bytes], Any], orders: Callable[[Any], Iterable[order_pb2.CreateOrderRequest]]
    ) -> Callable[[bytes], Any]:
        def decode_renewed(message: bytes) -> Any:
            request = decode(message)
            for order in orders(request):
                self._renew(order)
            return request

        return decode_renewed

    def _renew(self, order: order_pb2.CreateOrderRequest) -> None:
        order.request_id += f"-{self._run}-{next(self._numbers)}"
        order.customer_id = next(self._customer_ids)
        if order.lines and (choice := self._discs.get(order.lines[0].disc_id)):
            order.lines[0].disc_id = random.choice(choice)  # noqa: S311 - spreads load, guards nothing.


def install(interceptor: FreshIds) -> None:
    """Put the interceptor behind those of every server that this process makes from now on: it keeps handlers, and they may not."""
    make_server: Callable[..., grpc.aio.Server] = grpc.aio.server

    def make_server_with_fresh_ids(*arguments: Any, interceptors: Sequence[Any] = (), **options: Any) -> Any:
        return make_server(*arguments, interceptors=[*interceptors, interceptor], **options)

    grpc.aio.server = make_server_with_fresh_ids  # type: ignore[assignment]  # The service must not know of it.
