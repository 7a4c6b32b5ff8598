"""The shop in containers, where a Docker engine runs: a project, ports, volumes and an image of the test's own."""

import json
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local_shop.certs import CA_FILE, make_certs, make_token
from local_shop.ports import HOST, free_ports
from recordshop.channels import Tls
from recordshop.client import RecordShop
from recordshop.order.v1 import order_pb2

ROOT = Path(__file__).parents[3]
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
SERVICES = ("catalog", "customer", "order")
ONE_SHOTS = ("secrets", "roles", "migrate", "seed")
PORT_VARIABLES = tuple(f"{service.upper()}_PORT" for service in SERVICES)
SHOP_UID = "10001"
# What somebody who got in would look for.
UNWANTED = {
    *("sh", "bash", "dash", "busybox", "env", "perl", "gcc", "cc", "c++", "ld", "as", "make", "apt", "apt-get", "dpkg"),
    *("pip", "pip3", "curl", "wget", "ssh", "su", "sudo", "mount"),
}
# Tells, as a program of the container, what it may do.
LOOK = """
import json, os, re
from pathlib import Path
seen = dict(re.findall(r"^(\\w+):\\s+(.*)$", Path("/proc/self/status").read_text(), re.MULTILINE))
written = []
for folder in ("/", "/tmp", "/opt/record-shop", "/etc"):
    try:
        Path(folder, "written").touch()
        written.append(folder)
    except OSError:
        pass
print(json.dumps({**seen, "uids": seen["Uid"].split(), "written": written}))
"""

ENGINE_TIMEOUT_S = 20.0
# The first build downloads what the image needs.
UP_TIMEOUT_S = 600.0
COMMAND_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 20.0
SECRET_LENGTH_MIN = 32
SECRETS_OF_CUSTOMERS = ("password", "document.key")
SHOW_SECRETS = """
import json
from pathlib import Path
print(json.dumps({path.name: path.read_text() for path in Path("/secrets").iterdir()}))
"""
SHOW_PROCESSES = """
from pathlib import Path
for path in [*Path("/proc").glob("[0-9]*/environ"), *Path("/proc").glob("[0-9]*/cmdline")]:
    print(path.read_bytes())
"""

pytestmark = pytest.mark.timeout(UP_TIMEOUT_S + 300)


@dataclass(frozen=True)
class ComposedShop:
    """A compose project, where its services are published, and the files that it is made of, beside the usual one."""

    project: str
    environment: dict[str, str]
    overrides: tuple[str, ...] = ()

    def compose(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run `docker compose` in the project's folder and return what it printed; its errors fail the test."""
        files = [word for file in ("compose.yaml", *self.overrides) for word in ("--file", file)]
        return self.docker("compose", *files, "--project-name", self.project, *arguments, timeout_s=timeout_s)

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


@contextmanager
def composed_shop(*overrides: str, **variables: str) -> Iterator[ComposedShop]:
    """The whole shop in containers, gone without a trace after the block."""
    if not engine_answers():
        pytest.skip("no Docker engine")
    project = f"record-shop-test-{uuid4().hex[:12]}"
    ports = zip(PORT_VARIABLES, map(str, free_ports(len(SERVICES))), strict=True)
    environment = os.environ | dict(ports) | {"SHOP_IMAGE": f"{project}:test"} | variables
    shop = ComposedShop(project, environment, overrides)
    with ExitStack() as stack:
        stack.callback(shop.docker, "image", "rm", "--force", f"{project}:test")
        stack.callback(shop.compose, "down", "--volumes")
        shop.up()
        yield shop


@pytest.fixture(scope="module")
def composed() -> Iterator[ComposedShop]:
    """The shop that the tests of this file share."""
    with composed_shop() as shop:
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


def test_no_container_is_root_or_can_write_or_has_a_capability_or_all_of_the_machine(composed: ComposedShop) -> None:
    containers = composed.containers()
    assert set(containers) == {"postgres", *ONE_SHOTS, *SERVICES}
    for service, container in containers.items():
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["PidsLimit"] > 0, service
        assert host["Memory"] > 0, service
        assert container["Config"]["User"] in ("10001:10001", "postgres"), service
    assert composed.compose("exec", "-T", "postgres", "id", "-u").strip() != "0"


def test_no_containers_environment_or_command_shows_a_secret(composed: ComposedShop) -> None:
    kept = json.loads(composed.compose("exec", "-T", "customer", "python", "-c", SHOW_SECRETS))
    secrets = [*kept.values(), composed.compose("exec", "-T", "postgres", "cat", "/secrets/postgres").strip()]
    assert len(secrets) == len(SECRETS_OF_CUSTOMERS) + 1
    assert all(len(secret) >= SECRET_LENGTH_MIN for secret in secrets)
    containers = composed.docker("inspect", *composed.compose("ps", "--all", "--quiet").split())
    running = [composed.compose("top", service) for service in ("postgres", *SERVICES)]
    inside = [composed.compose("exec", "-T", service, "python", "-c", SHOW_PROCESSES) for service in SERVICES]
    assert not [secret for secret in secrets for text in (containers, *running, *inside) if secret in text]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_finds_itself_confined(composed: ComposedShop, service: str) -> None:
    seen = json.loads(composed.compose("exec", "-T", service, "python", "-c", LOOK))
    assert seen["uids"] == [SHOP_UID] * 4
    assert {seen[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert seen["NoNewPrivs"] == "1"
    assert seen["written"] == []


def test_the_image_has_no_shell_no_compiler_and_no_package_manager(composed: ComposedShop, tmp_path: Path) -> None:
    container = composed.docker("create", composed.environment["SHOP_IMAGE"]).strip()
    archive = tmp_path / "image.tar"
    try:
        composed.docker("export", "--output", str(archive), container)
    finally:
        composed.docker("rm", container)
    with tarfile.open(archive) as image:
        members = image.getmembers()
    programs = {
        Path(member.name).name for member in members if member.issym() or (member.isreg() and member.mode & 0o111)
    }
    assert not programs & UNWANTED
    assert {"python", "dbmate"} <= programs
    # Nobody becomes another by running it.
    assert not [member.name for member in members if member.isreg() and member.mode & (stat.S_ISUID | stat.S_ISGID)]


async def test_behind_tls_and_tokens_an_order_is_placed(tmp_path: Path) -> None:
    make_certs(tmp_path)
    with composed_shop("compose/tls.yaml", CERTS_DIR=str(tmp_path)) as shop:
        token = make_token(tmp_path, role="customer", subject=JOHN_DOE)
        tls = Tls(ca=tmp_path / CA_FILE)
        async with RecordShop(order=shop.address("order"), tls=tls, token=token) as client:
            order = await client.create_order(JOHN_DOE, {WE_ARE_REACTIVE: 2}, timeout_s=CALL_TIMEOUT_S)
        assert order.status == order_pb2.ORDER_STATUS_CONFIRMED


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
