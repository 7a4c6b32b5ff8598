from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.ports import free_port
from local_shop.process_logs import FileLog
from local_shop.processes import ServiceProcess
from recordshop.customer.v1.customer_pb2 import GetCustomerRequest
from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceStub
from tests.integration.refusals import refusal_of

CALL_TIMEOUT_S = 30.0


@pytest.fixture
def service_without_database(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service whose database's port is closed."""
    port = free_port()
    service = ServiceProcess(
        name="customer_service",
        port=port,
        program=("-m", "customer_service"),
        settings={
            "POSTGRES_PORT": str(free_port()),
            "POSTGRES_USER": "customer_service",
            "POSTGRES_PASSWORD": "secret",
            "POSTGRES_DB": "customer",
            "CUSTOMER_PORT": str(port),
        },
        log=FileLog(tmp_path / "customer.log"),
    )
    service.start()
    yield service
    service.stop()


async def test_without_its_database_the_service_starts_and_says_so(service_without_database: ServiceProcess) -> None:
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(service_without_database.address, options) as channel:
        call = CustomerServiceStub(channel).GetCustomer(
            GetCustomerRequest(id="0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"), timeout=CALL_TIMEOUT_S, wait_for_ready=True
        )
        refused = await refusal_of(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_ACCEPTED")
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "recordshop.customer.v1.CustomerService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=CALL_TIMEOUT_S)
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert service_without_database.terminate() == 0
