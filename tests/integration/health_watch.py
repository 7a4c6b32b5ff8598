"""A service's health, asked for and watched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
CHANGE_TIMEOUT_S = 30.0


class Health:
    """One process' health, by the name of its services; the empty name is the whole process."""

    def __init__(self, stub: health_pb2_grpc.HealthStub) -> None:
        self._stub = stub

    async def check(self, name: str) -> int:
        """Ask once."""
        request = health_pb2.HealthCheckRequest(service=name)
        return (await self._stub.Check(request, timeout=CHANGE_TIMEOUT_S)).status

    async def changes(self, name: str) -> AsyncIterator[int]:
        """Watch, beginning with how it is now."""
        request = health_pb2.HealthCheckRequest(service=name)
        async for answer in self._stub.Watch(request, timeout=2 * CHANGE_TIMEOUT_S):
            yield answer.status


@asynccontextmanager
async def health_of(address: str) -> AsyncIterator[Health]:
    """Open a connection of its own to a process' health."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield Health(health_pb2_grpc.HealthStub(channel))
