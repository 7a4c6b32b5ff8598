"""The service's process as a test starts it: real settings, a free port, its log in a file."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.ports import free_port

ROOT = Path(__file__).parents[3]
SERVING_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
CALL_TIMEOUT_S = 20


class _Deadline(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        timeout_s = CALL_TIMEOUT_S if details.timeout is None else details.timeout
        return await continuation(details._replace(timeout=timeout_s), request)


def open_channel(address: str) -> grpc.aio.Channel:
    """Reaches the service directly, whatever proxy the environment names; every call has a deadline."""
    options = [("grpc.enable_http_proxy", 0)]
    return grpc.aio.insecure_channel(address, options=options, interceptors=[_Deadline()])


@dataclass(frozen=True)
class CustomerProcess:
    """A running service: its address, its log, and the process itself."""

    address: str
    log_file: Path
    process: asyncio.subprocess.Process

    async def stop(self) -> int:
        """Stops it as an operator would, and answers its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)


def environment(dsn: str, port: int, **settings: str) -> dict[str, str]:
    """Settings for a service on this database and port."""
    parts = urlsplit(dsn)
    return {
        "PATH": os.environ["PATH"],
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": unquote(str(parts.username)),
        "POSTGRES_PASSWORD": unquote(str(parts.password)),
        "POSTGRES_DB": parts.path.lstrip("/"),
        "CUSTOMER_PORT": str(port),
        **settings,
    }


async def spawn(settings: Mapping[str, str], log_file: Path) -> asyncio.subprocess.Process:
    """Starts the service's process and returns at once."""
    with log_file.open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "customer_service", cwd=ROOT, env=settings, stdout=log, stderr=log
        )


async def wait_for_health(address: str, status: str) -> None:
    """Watches the service's health until it is as wished."""
    wished = health_pb2.HealthCheckResponse.ServingStatus.Value(status)
    async with asyncio.timeout(SERVING_TIMEOUT_S), open_channel(address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        async for answer in watch:
            if answer.status == wished:
                return
        raise AssertionError(f"the service ended before it was {status}")


@asynccontextmanager
async def running_service(dsn: str, folder: Path, **settings: str) -> AsyncIterator[CustomerProcess]:
    """Runs the service on a database; it may or may not be SERVING yet."""
    port = free_port()
    log_file = folder / f"customer-{port}.log"
    process = await spawn(environment(dsn, port, **settings), log_file)
    service = CustomerProcess(address=f"127.0.0.1:{port}", log_file=log_file, process=process)
    try:
        yield service
    finally:
        await service.stop()
