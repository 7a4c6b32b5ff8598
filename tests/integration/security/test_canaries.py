"""No document, name, address, number, password, token or key gets into what the shop writes, or into what others see of its processes."""

import base64
import os
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import grpc
import pytest

from local_shop.certs import TOKEN_KEY_FILE, make_token
from local_shop.copies import make_templates
from local_shop.ports import HOST, free_ports
from local_shop.postgres import LocalPostgres
from local_shop.provision import provision
from local_shop.secret_files import SecretFiles
from local_shop.shop import SERVICES
from recordshop.catalog.v1 import catalog_pb2
from recordshop.channels import open_channel
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.conftest import ProvisionedPostgres
from tests.faults.test_no_personal_data import ALL_STATEMENTS, TALKATIVE, filled, methods
from tests.integration.security.conftest import LockedShop, locked_shops
from tests.support.kept_errors import KeptErrors
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.watched_processes import WatchedProcesses, watched_processes

TIMEOUT_S = 20.0
DOCUMENT, OTHER_DOCUMENT, PHONE = "52998224725", "11144477735", "+55 11 96666-0173"


@dataclass
class Scene:
    """A locked shop that writes all it can, what is secret in it, and where all that it writes arrives."""

    shop: LockedShop
    server: LocalPostgres
    receiver: OtlpReceiver
    processes: WatchedProcesses
    metrics_ports: Mapping[str, int]
    person: Mapping[str, str]
    secrets: dict[str, str]
    errors: KeptErrors = field(default_factory=KeptErrors)

    def token(self, role: str, subject: str, minutes: float = 60) -> str:
        """A token, which is a secret from now on."""
        token = make_token(self.shop.certs, role=role, subject=subject, minutes=minutes)
        _, claims, signature = token.split(".")
        self.secrets |= {f"claims {len(self.secrets)}": claims, f"signature {len(self.secrets)}": signature}
        return token

    def written(self) -> dict[str, str]:
        """Everything that was written or shown, by where."""
        pages = [
            urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=TIMEOUT_S).read().decode()
            for port in self.metrics_ports.values()
        ]
        return {
            **{service: self.shop.log(service) for service in SERVICES},
            "postgres": self.server.log_file.read_text(errors="replace"),
            "traces": b"".join(self.receiver.requests).decode(errors="replace"),
            "metrics": "\n".join(pages),
            "processes": self.processes.text,
            "errors": self.errors.text,
        }


@pytest.fixture
def watched() -> Iterator[WatchedProcesses]:
    """Everything that is started from here on."""
    with watched_processes(os.getpid()) as processes:
        yield processes


@pytest.fixture
async def scene(watched: WatchedProcesses, tmp_path: Path) -> AsyncIterator[Scene]:
    """A shop on a server of its own, so that its making is watched too."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(LocalPostgres(data_dir=tmp_path / "postgres", sync_new_files=False))
        passwords = provision(server)
        make_templates(server)
        receiver = await stack.enter_async_context(otlp_receiver())
        metrics_ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        settings = {
            service: {**TALKATIVE, **receiver.environment, "METRICS_PORT": str(port)}
            for service, port in metrics_ports.items()
        }
        postgres = ProvisionedPostgres(server, passwords, tmp_path)
        folder = tmp_path / "locked"
        folder.mkdir()
        shop = stack.enter_context(locked_shops(postgres, folder))(settings)
        mark = token_hex(8)
        person = {"name": f"Ana {mark}", "document": DOCUMENT, "email": f"ana@{mark}.example", "phone": PHONE}
        key = SecretFiles.of(server).document_key.read_text().strip()
        signing = (shop.certs / TOKEN_KEY_FILE).read_text().splitlines()[1]
        secrets = {
            **{f"password of {role}": password for role, password in passwords.items()},
            "password of the superuser": server.admin_password,
            "name and address": mark,
            "document": DOCUMENT,
            "document, masked": DOCUMENT[3:9],
            "document with points": "529.982",
            "masked with points": "982.247",
            "phone": PHONE,
            "a part of it": "96666",
            "key of documents": key,
            "the same in hexadecimal": base64.b64decode(key).hex(),
            "key of tokens": signing,
        }
        yield Scene(shop, server, receiver, watched, metrics_ports, {**person, "birth_date": "1990-12-31"}, secrets)


async def log_all_statements(scene: Scene) -> Mapping[str, str]:
    """As of a server whose owner wants to see everything; answers the superuser's ways into the databases."""
    dsns = {}
    for service in SERVICES:
        database = urlsplit(getattr(scene.shop.local, f"{service}_dsn")).path.lstrip("/")
        dsns[service] = scene.server.dsn(database, "postgres", scene.server.admin_password)
        admin = await asyncpg.connect(dsns[service], timeout=TIMEOUT_S)
        for setting in ALL_STATEMENTS:
            await admin.execute(f'ALTER DATABASE "{database}" SET {setting}')
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        await admin.execute(end, database)
        await admin.close()
    return dsns


def shop_of(scene: Scene, token: str) -> RecordShop:
    local = scene.shop.local
    addresses = {"catalog": local.catalog_addr, "customer": local.customer_addr, "order": local.order_addr}
    return RecordShop(**addresses, tls=scene.shop.tls, token=token)


async def live(scene: Scene) -> str:
    """What a customer does whose data are in order, and an admin; answers the customer's id."""
    customer_id = str(uuid4())
    async with (
        shop_of(scene, scene.token("customer", customer_id)) as ana,
        shop_of(scene, scene.token("admin", "root")) as admin,
    ):
        await ana.create_customer(customer_pb2.Customer(**scene.person), customer_id=customer_id)
        described = {"name": "A disc", "artist": "The Testers", "year_of_release": 1999, "genre": "Rock"}
        disc = await admin.create_disc(catalog_pb2.Disc(price_cents=2_500, **described), opening_stock=9)
        order = await ana.create_order(customer_id, {disc.id: 2})
        await ana.get_order(order.id)
        await ana.cancel_order(order.id)
        edit = customer_pb2.UpdateCustomerRequest(
            customer=customer_pb2.Customer(id=customer_id, phone=PHONE, email=f"new.{scene.person['email']}")
        )
        await ana.customers.UpdateCustomer(edit, timeout=TIMEOUT_S)
        listing = customer_pb2.ListCustomersRequest(document=DOCUMENT, email=f"new.{scene.person['email']}")
        answer = await admin.customers.ListCustomers(listing, timeout=TIMEOUT_S)
        assert [customer.document for customer in answer.customers] == [DOCUMENT]
        # What is taken, by somebody else.
        again = customer_pb2.CreateCustomerRequest(customer=customer_pb2.Customer(**scene.person))
        call = admin.customers.CreateCustomer(again, timeout=TIMEOUT_S)
        assert await scene.errors.code_of(call) is grpc.StatusCode.ALREADY_EXISTS
    return customer_id


async def call_everything(scene: Scene, authorization: str | None) -> set[grpc.StatusCode]:
    """Every method with a person's data in each of its texts."""
    codes = set()
    for service, method in methods():
        async with open_channel(getattr(scene.shop.local, f"{service}_addr"), tls=scene.shop.tls) as channel:
            way = (
                f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
            )
            multi = getattr(channel, way)(
                f"/{method.containing_service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
            )
            request = filled(method.input_type, dict(scene.person))
            asked = iter([request]) if method.client_streaming else request
            metadata = () if authorization is None else (("authorization", authorization),)
            codes.add(await scene.errors.code_of(multi(asked, timeout=TIMEOUT_S, metadata=metadata)))
    return codes


async def meet_a_fault(scene: Scene, dsn: str, customer_id: str) -> grpc.StatusCode:
    """A constraint that nobody expects, whose error quotes the whole row."""
    admin = await asyncpg.connect(dsn, timeout=TIMEOUT_S)
    await admin.execute("ALTER TABLE customers ADD CONSTRAINT unexpected CHECK (phone <> '190') NOT VALID")
    edit = customer_pb2.UpdateCustomerRequest(customer=customer_pb2.Customer(id=customer_id, phone="190"))
    async with shop_of(scene, scene.token("customer", customer_id)) as ana:
        code = await scene.errors.code_of(ana.customers.UpdateCustomer(edit, timeout=TIMEOUT_S))
    await admin.execute("ALTER TABLE customers DROP CONSTRAINT unexpected")
    await admin.close()
    return code


async def test_nothing_that_is_written_or_shown_holds_a_canary(scene: Scene) -> None:
    dsns = await log_all_statements(scene)
    customer_id = await live(scene)
    assert grpc.StatusCode.INVALID_ARGUMENT in await call_everything(scene, f"Bearer {scene.token('admin', 'root')}")
    refused = {grpc.StatusCode.UNAUTHENTICATED}
    assert await call_everything(scene, f"Bearer {scene.token('admin', 'root', minutes=-30)}") == refused
    assert await call_everything(scene, scene.token("admin", "root")) == refused
    assert await call_everything(scene, f"Bearer {scene.token('admin', 'root')[:-5]}") == refused
    assert await meet_a_fault(scene, dsns["customer"], customer_id) is grpc.StatusCode.INTERNAL
    async with shop_of(scene, scene.token("customer", customer_id)) as ana:
        request = customer_pb2.AnonymizeCustomerRequest(id=customer_id)
        assert (await ana.customers.AnonymizeCustomer(request, timeout=TIMEOUT_S)).anonymize_time.seconds
    await scene.receiver.until(
        lambda spans: any(span.name.endswith("OrderService/AnonymizeCustomer") for span in spans)
    )

    written = scene.written()
    # All of it was looked at.
    assert '"event": "slow call"' in written["order"]
    assert '"event": "call failed"' in written["customer"]
    assert "INSERT INTO customers" in written["postgres"]
    assert "violates check constraint" in written["postgres"]
    assert "recordshop.customer.v1.CustomerService/CreateCustomer" in written["traces"]
    assert "grpc_server_handled_total" in written["metrics"]
    assert "TOKEN_EXPIRED" in written["errors"]
    assert "POSTGRES_PASSWORD_FILE" in written["processes"]
    assert {"psql", "dbmate", "postgres"} <= scene.processes.names
    found = [
        (where, what) for where, text in written.items() for what, secret in scene.secrets.items() if secret in text
    ]
    assert found == []


async def test_the_databases_hold_no_document_and_orders_hold_none_at_all(scene: Scene) -> None:
    async with shop_of(scene, scene.token("admin", "root")) as admin:
        customer = await admin.create_customer(customer_pb2.Customer(**scene.person))
        described = {"name": "A disc", "artist": "The Testers", "year_of_release": 1999, "genre": "Rock"}
        disc = await admin.create_disc(catalog_pb2.Disc(price_cents=2_500, **described), opening_stock=9)
        order = await admin.create_order(customer.id, {disc.id: 2})
        assert order.customer == order_pb2.CustomerSnapshot(name=customer.name, masked_document="***.982.247-**")
    for service, table in (("customer", "customers"), ("order", "orders")):
        database = urlsplit(getattr(scene.shop.local, f"{service}_dsn")).path.lstrip("/")
        connection = await asyncpg.connect(
            scene.server.dsn(database, "postgres", scene.server.admin_password), timeout=TIMEOUT_S
        )
        rows = await connection.fetchval(f"SELECT string_agg({table}::text, '') FROM {table}")
        assert customer.name in rows
        assert DOCUMENT not in rows
        assert DOCUMENT.encode().hex() not in rows
        await connection.close()


async def test_a_service_gets_a_customers_document_masked(scene: Scene) -> None:
    async with shop_of(scene, scene.token("admin", "root")) as admin:
        customer = await admin.create_customer(customer_pb2.Customer(**scene.person))
        request = customer_pb2.BatchGetCustomersRequest(ids=[customer.id], sync_token="")
        seen = await admin.customers.BatchGetCustomers(request, timeout=TIMEOUT_S)
        assert [found.document for found in seen.customers] == [DOCUMENT]
    tls = scene.shop.tls_of("order")
    async with RecordShop(customer=scene.shop.mtls_address("customer"), tls=tls) as order_service:
        seen = await order_service.customers.BatchGetCustomers(request, timeout=TIMEOUT_S)
    assert [(found.document, found.masked_document) for found in seen.customers] == [("", "***.982.247-**")]
