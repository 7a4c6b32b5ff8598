"""TLS at the services' own ports, and certificates of the services at those for neighbours."""

import asyncio
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.certs import CA_FILE, make_certs
from local_shop.ports import HOST
from recordshop.channels import Tls, open_channel
from tests.faults.waiting import eventually
from tests.integration.security.conftest import LockedShop, OpenLockedShop

CALL_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 30.0
RENEWALS = 3
SERVING = health_pb2.HealthCheckResponse.SERVING


async def check_health(address: str, tls: Tls | None) -> int:
    """Asks a service for its health."""
    async with open_channel(address, tls=tls) as channel:
        request = health_pb2.HealthCheckRequest()
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=CALL_TIMEOUT_S)
        return answer.status  # type: ignore[no-any-return]


def shaken_hands(port: int, *, at_most: ssl.TLSVersion, certs: Path) -> str:
    """Returns the serial number of the certificate that the server shows to a client of this version."""
    context = ssl.create_default_context(cafile=certs / CA_FILE)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = at_most
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(certs / "postgres.pem", certs / "postgres.key")
    with (
        socket.create_connection((HOST, port), CALL_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        certificate = secured.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


async def test_a_caller_without_tls_is_not_heard(locked: LockedShop) -> None:
    for process in locked.local.processes:
        assert await check_health(process.address, locked.tls) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await check_health(process.address, None)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_caller_is_not_taken_in_by_a_server_of_another_ca(locked: LockedShop, tmp_path: Path) -> None:
    make_certs(tmp_path)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await check_health(locked.local.order.address, Tls(ca=tmp_path / CA_FILE))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_nothing_older_than_tls_1_2_is_spoken(locked: LockedShop) -> None:
    for port in (locked.local.order.port, locked.mtls_ports["catalog"]):
        assert shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_2, certs=locked.certs)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_1, certs=locked.certs)


@pytest.mark.parametrize("service", ["catalog", "customer"])
async def test_neighbours_are_let_in_by_a_certificate_of_the_services_own_ca_alone(
    locked: LockedShop, tmp_path: Path, service: str
) -> None:
    address = locked.mtls_address(service)
    assert await check_health(address, locked.tls_of("order")) == SERVING
    make_certs(tmp_path)
    stranger = Tls(ca=locked.certs / CA_FILE, certificate=tmp_path / "order.pem", key=tmp_path / "order.key")
    for tls in (locked.tls, stranger, None):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await check_health(address, tls)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("service", ["catalog", "customer", "order"])
def test_the_probe_of_the_containers_asks_a_server_with_tls(locked: LockedShop, service: str) -> None:
    port = str(getattr(locked.local, service).port)
    probe = [sys.executable, "-m", "service_runtime.healthcheck", port]
    for arguments, code in (([str(locked.certs / f"{service}.pem")], 0), ([str(locked.certs / "postgres.pem")], 1)):
        said = subprocess.run([*probe, *arguments], capture_output=True, timeout=PROBE_TIMEOUT_S, check=False)
        assert said.returncode == code, said.stderr


async def test_certificates_are_renewed_while_running_and_no_call_fails(open_locked_shop: OpenLockedShop) -> None:
    shop = open_locked_shop()
    port = shop.local.catalog.port
    serials = {shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_3, certs=shop.certs)}
    renewing, calls = True, 0

    async def call() -> None:
        nonlocal calls
        while renewing:
            # Each by a connection of its own, at a moment of its own, in the midst of the renewal too.
            assert await check_health(shop.local.catalog.address, shop.tls) == SERVING
            assert await check_health(shop.mtls_address("catalog"), Tls(ca=shop.certs / CA_FILE, **client)) == SERVING
            calls += 1

    async def count() -> int:
        return calls

    # A client's own pair, which is not renewed under its hands.
    client = {}
    for kind, suffix in (("certificate", "pem"), ("key", "key")):
        client[kind] = shop.certs / f"client.{suffix}"
        client[kind].write_bytes((shop.certs / f"order.{suffix}").read_bytes())
    calling = [asyncio.create_task(call()) for _ in range(4)]
    for renewal in range(RENEWALS):
        make_certs(shop.certs)
        seen = calls
        await eventually(count, lambda now, seen=seen: now >= seen + 10 or any(task.done() for task in calling))
        serials.add(shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_3, certs=shop.certs))
        assert len(serials) == renewal + 2
    renewing = False
    await asyncio.gather(*calling)


async def test_a_certificate_whose_key_does_not_fit_is_passed_over_until_it_does(
    open_locked_shop: OpenLockedShop,
) -> None:
    shop = open_locked_shop()
    port = shop.local.order.port
    before = shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_3, certs=shop.certs)
    good = (shop.certs / "order.pem").read_bytes()
    (shop.certs / "order.pem").write_bytes((shop.certs / "catalog.pem").read_bytes())
    assert shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_3, certs=shop.certs) == before
    (shop.certs / "order.pem").write_text("no certificate")
    assert shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_3, certs=shop.certs) == before
    (shop.certs / "order.pem").write_bytes(good)
    assert shaken_hands(port, at_most=ssl.TLSVersion.TLSv1_3, certs=shop.certs) == before
    assert "the TLS files cannot be used" in shop.log("order")


async def test_workers_share_both_ports(open_locked_shop: OpenLockedShop) -> None:
    shop = open_locked_shop({"catalog": {"WORKERS": "2"}})
    assert await check_health(shop.local.catalog.address, shop.tls) == SERVING
    assert await check_health(shop.mtls_address("catalog"), shop.tls_of("order")) == SERVING
