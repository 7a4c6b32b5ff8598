"""The health probe that containers run, against a real gRPC server."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from local_shop.ports import HOST, free_port
from service_runtime import healthcheck

PROBE_TIMEOUT_S = 30.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def probe(port: int) -> tuple[int, str]:
    """Run the probe as a container engine does; return its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service_runtime.healthcheck", str(port), stderr=subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), PROBE_TIMEOUT_S)
    assert process.returncode is not None
    return process.returncode, said.decode().strip()


@pytest.fixture
async def server() -> AsyncIterator[grpc.aio.Server]:
    """A server that answers nothing yet."""
    server = grpc.aio.server()
    yield server
    await server.stop(None)


@pytest.mark.parametrize(("status", "answer"), [(SERVING, (0, "")), (NOT_SERVING, (1, "not serving"))])
async def test_the_probe_says_what_the_server_says(
    server: grpc.aio.Server, status: int, answer: tuple[int, str]
) -> None:
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("", status)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    assert await probe(port) == answer


async def test_a_server_without_health_is_not_serving(server: grpc.aio.Server) -> None:
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    assert await probe(port) == (1, "no answer: UNIMPLEMENTED")


async def test_nobody_on_the_port_is_no_answer() -> None:
    code, said = await probe(free_port())
    assert code == 1
    assert said.startswith("no answer: ")


def test_a_server_that_is_silent_is_waited_for_no_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healthcheck, "TIMEOUT_S", 0.1)
    with socket.create_server((HOST, 0)) as listener, pytest.raises(grpc.RpcError):
        healthcheck.is_serving(listener.getsockname()[1])
