"""TLS at the services' own ports, and certificates of the services at those for neighbours."""

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.certs import CA_FILE, make_certs, make_token
from local_shop.ports import HOST
from recordshop.channels import Tls, open_channel
from recordshop.order.v1 import order_pb2
from tests.faults.waiting import eventually
from tests.integration.order_desk import order_request
from tests.integration.security.conftest import LockedShop, OpenLockedShop
from tests.opened_shop import OpenedShop, opened

CALL_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 30.0
RENEWALS = 3
# What the order service logs for each of its neighbours.
CONNECTING_ANEW = "the certificates were replaced: connecting anew"
SALES = 40
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


async def test_the_order_service_changes_its_certificate_and_its_ca_while_it_sells_and_no_call_fails(
    open_locked_shop: OpenLockedShop, tmp_path: Path
) -> None:
    """As an operator changes a CA: it is trusted beside the old one, then all certificates are its own, then it alone is trusted."""
    # One customer buys more than a person would.
    shop = open_locked_shop({"order": {"CUSTOMER_CREATES_MAX_PER_S": "0", "CALLER_CREATES_MAX_PER_S": "0"}})
    make_certs(tmp_path)
    sold, selling = 0, True

    async def sell() -> None:
        nonlocal sold
        while selling:
            request = order_request(customer.id, {disc.id: 1})
            await desk.CreateOrder(request, timeout=CALL_TIMEOUT_S)
            sold += 1

    async def connections_and_sales() -> tuple[int, int]:
        return shop.log("order").count(CONNECTING_ANEW), sold

    async def wait_for_sales_over_new_connections() -> None:
        nonlocal steps
        steps += 1
        before = sold
        # One to the catalog, one to the customer service.
        await eventually(
            connections_and_sales,
            lambda now: (now[0] >= 2 * steps and now[1] >= before + SALES) or any(task.done() for task in tasks),
        )
        assert not any(task.done() for task in tasks)

    steps = 0
    async with admin_of(shop) as opened:
        desk, customer, disc = opened.order, await opened.make_customer(), await opened.make_disc(stock=1_000_000)
        tasks = [asyncio.create_task(sell()) for _ in range(4)]
        ca = shop.certs / CA_FILE
        old, new = ca.read_text(encoding="utf-8"), (tmp_path / CA_FILE).read_text(encoding="utf-8")
        replace(ca, old + new)
        await wait_for_sales_over_new_connections()
        # The order service's own last: whoever has a new certificate is believed by all.
        for service in ("catalog", "customer", "order"):
            for suffix in ("key", "pem"):
                replace(
                    shop.certs / f"{service}.{suffix}", (tmp_path / f"{service}.{suffix}").read_text(encoding="utf-8")
                )
        await wait_for_sales_over_new_connections()
        replace(ca, new)
        await wait_for_sales_over_new_connections()
        selling = False
        await asyncio.gather(*tasks)
        request = order_pb2.AuditStockRequest(disc_ids=[disc.id])
        (audit,) = [found async for found in desk.AuditStock(request, timeout=CALL_TIMEOUT_S)]
    assert (audit.sold, audit.verdict) == (sold, order_pb2.AUDIT_VERDICT_AGREES)


async def test_a_call_under_way_ends_on_the_connection_that_it_began_on(open_locked_shop: OpenLockedShop) -> None:
    long = dict.fromkeys(("CATALOG_TIMEOUT_S", "GROUP_TIMEOUT_S", "CALL_TIMEOUT_S"), str(PROBE_TIMEOUT_S))
    shop = open_locked_shop({"order": long})

    async def connections() -> int:
        return shop.log("order").count(CONNECTING_ANEW)

    async with admin_of(shop) as opened:
        customer, disc = await opened.make_customer(), await opened.make_disc()
        await opened.order.CreateOrder(order_request(customer.id, {disc.id: 1}), timeout=CALL_TIMEOUT_S)
        shop.local.catalog.pause()
        waiting = asyncio.ensure_future(
            opened.order.CreateOrder(order_request(customer.id, {disc.id: 1}), timeout=PROBE_TIMEOUT_S)
        )
        pending = order_pb2.ListOrdersRequest(status=order_pb2.ORDER_STATUS_PENDING)

        async def asked() -> int:
            return len((await opened.order.ListOrders(pending, timeout=CALL_TIMEOUT_S)).orders)

        await eventually(asked, lambda count: count == 1)
        make_certs(shop.certs)
        # Recovery, which asks about the order too, is the first to find the new ones.
        await eventually(connections, lambda count: count >= 1)
        shop.local.catalog.resume()
        assert (await waiting).status == order_pb2.ORDER_STATUS_CONFIRMED


def replace(path: Path, text: str) -> None:
    """Replaces a file by a rename, as whoever renews certificates should."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o600)
    new.replace(path)


@asynccontextmanager
async def admin_of(shop: LockedShop) -> AsyncIterator[OpenedShop]:
    """The shop's stubs, as an admin has them; plain ones, which repeat nothing."""
    token = make_token(shop.certs, role="admin", subject="root")
    async with opened(shop.local, tls=shop.tls, token=token) as found:
        yield found
