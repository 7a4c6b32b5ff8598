"""The shop in containers, where a Docker engine runs: a project, ports, volumes and an image of the test's own."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local_shop.ports import HOST, free_ports
from recordshop.client import RecordShop
from recordshop.order.v1 import order_pb2

ROOT = Path(__file__).parents[3]
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
SERVICES = ("catalog", "customer", "order")
ONE_SHOTS = ("secrets", "roles", "migrate", "seed")
PORT_VARIABLES = tuple(f"{service.upper()}_PORT" for service in SERVICES)
SHOP_UID = "10001"

ENGINE_TIMEOUT_S = 20.0
# The first build downloads what the image needs.
UP_TIMEOUT_S = 600.0
COMMAND_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 20.0
DOCUMENT_KEY_LENGTH = 44
SECRET_LENGTH_MIN = 32

pytestmark = pytest.mark.timeout(UP_TIMEOUT_S + 300)


@dataclass(frozen=True)
class ComposedShop:
    """A compose project, and where its services are published."""

    project: str
    environment: dict[str, str]

    def compose(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run `docker compose` in the project's folder and return what it printed; its errors fail the test."""
        return self.docker("compose", "--project-name", self.project, *arguments, timeout_s=timeout_s)

    def docker(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run `docker` and return what it printed; its errors fail the test."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-8000:]}"
        return done.stdout

    def up(self) -> None:
        """Bring everything up, as `docker compose up` does, and wait until all are healthy."""
        self.compose("up", "--detach", "--wait", timeout_s=UP_TIMEOUT_S)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine says of each service's container."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found = json.loads(self.docker("inspect", *ids))
        return {container["Config"]["Labels"]["com.docker.compose.service"]: container for container in found}

    def address(self, service: str) -> str:
        """Return where a service is published."""
        return f"{HOST}:{self.environment[f'{service.upper()}_PORT']}"


def engine_answers() -> bool:
    """Whether there is a Docker engine to ask, and `docker compose` to ask it with."""
    if shutil.which("docker") is None:
        return False
    return all(
        subprocess.run(
            ["docker", *question],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=ENGINE_TIMEOUT_S,
            check=False,
        ).returncode
        == 0
        for question in (("info",), ("compose", "version"))
    )


@pytest.fixture(scope="module")
def composed() -> Iterator[ComposedShop]:
    """The whole shop in containers, gone without a trace after the tests of this file."""
    if not engine_answers():
        pytest.skip("no Docker engine")
    project = f"record-shop-test-{uuid4().hex[:12]}"
    ports = zip(PORT_VARIABLES, map(str, free_ports(len(SERVICES))), strict=True)
    shop = ComposedShop(project, os.environ | dict(ports) | {"SHOP_IMAGE": f"{project}:test"})
    with ExitStack() as stack:
        stack.callback(shop.docker, "image", "rm", "--force", f"{project}:test")
        stack.callback(shop.compose, "down", "--volumes")
        shop.up()
        yield shop


@pytest.fixture
async def client(composed: ComposedShop) -> AsyncIterator[RecordShop]:
    """A client of the published ports."""
    addresses = {service: composed.address(service) for service in SERVICES}
    async with RecordShop(**addresses) as client:
        yield client


async def audit(client: RecordShop) -> order_pb2.DiscAudit:
    """Hold the seeded disc's orders against its stock."""
    request = order_pb2.AuditStockRequest(disc_ids=[WE_ARE_REACTIVE])
    (found,) = [answer async for answer in client.orders.AuditStock(request, timeout=CALL_TIMEOUT_S)]
    return found


async def test_an_order_is_placed_and_read_back_and_the_audit_agrees(client: RecordShop) -> None:
    before = await audit(client)
    order = await client.create_order(JOHN_DOE, {WE_ARE_REACTIVE: 2}, timeout_s=CALL_TIMEOUT_S)
    assert order.status == order_pb2.ORDER_STATUS_CONFIRMED
    assert await client.get_order(order.id, timeout_s=CALL_TIMEOUT_S) == order
    after = await audit(client)
    assert (after.opening, after.left, after.sold) == (500, before.left - 2, before.sold + 2)
    assert after.verdict == order_pb2.AUDIT_VERDICT_AGREES


def test_no_container_is_root_or_can_write_or_has_a_capability(composed: ComposedShop) -> None:
    containers = composed.containers()
    assert set(containers) == {"postgres", *ONE_SHOTS, *SERVICES}
    for service, container in containers.items():
        assert container["HostConfig"]["ReadonlyRootfs"], service
        assert container["HostConfig"]["CapDrop"] == ["ALL"], service
        assert container["Config"]["User"] in ("10001:10001", "postgres"), service
    for service in SERVICES:
        assert composed.compose("exec", "-T", service, "id", "-u").strip() == SHOP_UID
    assert composed.compose("exec", "-T", "postgres", "id", "-u").strip() != "0"


def test_no_containers_environment_or_command_shows_a_secret(composed: ComposedShop) -> None:
    shown = composed.compose("exec", "-T", "customer", "cat", "/secrets/password", "/secrets/document.key")
    key = shown[-DOCUMENT_KEY_LENGTH:]
    superuser = composed.compose("exec", "-T", "postgres", "cat", "/secrets/postgres")
    secrets = [shown.removesuffix(key).strip(), key.strip(), superuser.strip()]
    assert all(len(secret) >= SECRET_LENGTH_MIN for secret in secrets)
    containers = composed.docker("inspect", *composed.compose("ps", "--all", "--quiet").split())
    running = [composed.compose("top", service) for service in ("postgres", *SERVICES)]
    environments = [
        composed.compose("exec", "-T", service, "sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline")
        for service in SERVICES
    ]
    assert not [secret for secret in secrets for text in (containers, *running, *environments) if secret in text]


def test_only_the_services_are_published_and_only_on_loopback(composed: ComposedShop) -> None:
    published = {
        service: [
            binding["HostIp"] for bindings in container["HostConfig"]["PortBindings"].values() for binding in bindings
        ]
        for service, container in composed.containers().items()
    }
    assert {service: hosts for service, hosts in published.items() if hosts} == {
        service: [HOST] for service in SERVICES
    }


async def test_orders_outlive_a_stop_in_which_each_service_ends_well(
    composed: ComposedShop, client: RecordShop
) -> None:
    order = await client.create_order(JOHN_DOE, {WE_ARE_REACTIVE: 1}, timeout_s=CALL_TIMEOUT_S)
    composed.compose("stop")
    assert {service: found["State"]["ExitCode"] for service, found in composed.containers().items()} == dict.fromkeys(
        ("postgres", *ONE_SHOTS, *SERVICES), 0
    )
    composed.up()
    assert await client.get_order(order.id, timeout_s=CALL_TIMEOUT_S) == order
    assert (await audit(client)).verdict == order_pb2.AUDIT_VERDICT_AGREES


async def test_a_second_up_changes_nothing(composed: ComposedShop, client: RecordShop) -> None:
    started = {service: found["State"]["StartedAt"] for service, found in composed.containers().items()}
    before = await audit(client)
    composed.up()
    again = {service: found["State"]["StartedAt"] for service, found in composed.containers().items()}
    assert {service: started[service] for service in SERVICES} == {service: again[service] for service in SERVICES}
    assert await audit(client) == before
