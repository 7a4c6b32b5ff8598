"""The empty handler, the most that grpc.aio can do here: `python -m benchmarks.echo`.

It takes the messages of CreateOrder and answers one order for ever, on a server without any of the shop's own interceptors.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from benchmarks.fresh_ids import SERVICE, FreshIds
from benchmarks.props import PROPS_VARIABLE, Props
from recordshop.order.v1 import order_pb2
from service_runtime.server import run_process

ADDRESS_VARIABLE = "ECHO_ADDR"


def echo_handler(order: order_pb2.Order) -> grpc.GenericRpcHandler:
    """Return a handler that does nothing but answer as the shop did once."""

    async def create_order(request: order_pb2.CreateOrderRequest, context: Any) -> order_pb2.Order:  # noqa: ARG001
        return order

    method = grpc.unary_unary_rpc_method_handler(
        create_order,
        request_deserializer=order_pb2.CreateOrderRequest.FromString,
        response_serializer=order_pb2.Order.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"CreateOrder": method})


async def serve(address: str, props: Props) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(interceptors=[FreshIds.of(props)], options=[("grpc.so_reuseport", 0)])
    order = order_pb2.Order.FromString(bytes.fromhex(props.order_hex))
    server.add_generic_rpc_handlers((echo_handler(order),))
    health = health_aio.HealthServicer()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(address)
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run_process(serve(os.environ[ADDRESS_VARIABLE], Props.read(Path(os.environ[PROPS_VARIABLE]))))
