"""No document, e-mail address, phone number, name or password gets into a log, PostgreSQL's own included, or into an error."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.channels import open_channel
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.faults.waiting import eventually
from tests.support.kept_errors import KeptErrors

SERVICES = ("catalog", "customer", "order")
PROTOS = {"catalog": (catalog_pb2, stock_pb2), "customer": (customer_pb2,), "order": (order_pb2,)}
TIMEOUT_S = 10.0
WATCH_S = 0.3
# Every call leaves a line, and no line is left out.
TALKATIVE = {"LOG_LEVEL": "debug", "LOG_CALLS_SHARE": "1", "SLOW_CALL_S": "0.001", "LOG_LINES_MAX_PER_S": "100000"}
# As of a server whose owner wants to see everything.
ALL_STATEMENTS = ("log_min_duration_statement = 0", "log_statement = 'all'", "log_min_messages = 'info'")
DOCUMENT, OTHER_DOCUMENT, PHONE = "52998224725", "11144477735", "+55 11 96666-0173"


@dataclass
class Canary:
    """A shop that was told a person's data, and all that it has said since."""

    shop: Any
    admins: dict[str, asyncpg.Connection]
    server: Any
    log_start: int
    secrets: list[str]
    person: dict[str, str]
    errors: KeptErrors

    def written(self) -> dict[str, str]:
        """Everything that was written, by where."""
        logs = {name: getattr(self.shop.local, name)._log.path.read_text() for name in SERVICES}
        with self.server.log_file.open("rb") as log:
            log.seek(self.log_start)
            postgres = log.read().decode(errors="replace")
        return {**logs, "postgres": postgres, "errors": self.errors.text}


@pytest.fixture
async def canary(fresh_shop: Any, postgres: Any) -> AsyncIterator[Canary]:
    async with AsyncExitStack() as stack:
        shop = await fresh_shop(settings=dict.fromkeys(SERVICES, TALKATIVE))
        admins = {}
        for name in SERVICES:
            database = urlsplit(getattr(shop.local, f"{name}_dsn")).path.lstrip("/")
            admins[name] = await asyncpg.connect(postgres.admin_dsn(database), timeout=TIMEOUT_S)
            stack.push_async_callback(admins[name].close)
            for setting in ALL_STATEMENTS:
                await admins[name].execute(f'ALTER DATABASE "{database}" SET {setting}')
            # The services' connections learn of it when they are made anew.
            await admins[name].execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
                database,
            )
        mark = token_hex(8)
        passwords = [*postgres.passwords.values(), postgres.server.admin_password]
        person = {"name": f"Ana {mark}", "document": DOCUMENT, "email": f"ana@{mark}.example", "phone": PHONE}
        secrets = [mark, DOCUMENT, DOCUMENT[3:9], "529.982", "982.247", PHONE, "96666", *passwords]
        start = postgres.server.log_file.stat().st_size
        yield Canary(
            shop, admins, postgres.server, start, secrets, {**person, "birth_date": "1990-12-31"}, KeptErrors()
        )


def methods() -> Iterator[tuple[str, MethodDescriptor]]:
    for service, protos in PROTOS.items():
        for proto in protos:
            for described in proto.DESCRIPTOR.services_by_name.values():
                yield from ((service, method) for method in described.methods)


def filled(described: Descriptor, person: dict[str, str], depth: int = 3) -> Message:
    """A message with a person's data in each of its texts, at whatever place."""
    message = message_factory.GetMessageClass(described)()
    for number, field in enumerate(described.fields):
        if field.type == FieldDescriptor.TYPE_STRING:
            value: Any = list(person.values())[number % 4]
            setattr(message, field.name, value) if not field.is_repeated else getattr(message, field.name).append(value)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and depth and "google" not in field.message_type.full_name:
            inner = filled(field.message_type, person, depth - 1)
            getattr(message, field.name).MergeFrom([inner] if field.is_repeated else inner)
    return message


async def call_everything_with_bad_fields(canary: Canary) -> set[str]:
    called = set()
    for service, method in methods():
        async with open_channel(getattr(canary.shop.local, f"{service}_addr")) as channel:
            kind = (
                f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
            )
            multi = getattr(channel, kind)(
                f"/{method.containing_service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
            )
            request = filled(method.input_type, canary.person)
            asked = iter([request]) if method.client_streaming else request
            await canary.errors.code_of(multi(asked, timeout=TIMEOUT_S))
            called.add(method.name)
    return called


async def live(canary: Canary) -> tuple[str, str]:
    """What a customer does whose data are in order; answers the customer's and a disc's id."""
    shop, customers = canary.shop, canary.shop.customer
    customer = await shop.make_customer(**canary.person)
    disc = await shop.make_disc(stock=1_000)
    await customers.GetCustomer(customer_pb2.GetCustomerRequest(id=customer.id), timeout=TIMEOUT_S)
    listing = customer_pb2.ListCustomersRequest(document=DOCUMENT, email=canary.person["email"])
    await customers.ListCustomers(listing, timeout=TIMEOUT_S)
    order = await shop.order.CreateOrder(one_order(customer.id, disc.id, "one"), timeout=TIMEOUT_S)
    await shop.order.GetOrder(order_pb2.GetOrderRequest(id=order.id), timeout=TIMEOUT_S)
    await shop.order.ListOrders(order_pb2.ListOrdersRequest(customer_id=customer.id), timeout=TIMEOUT_S)
    await canary.errors.code_of(
        shop.order.AuditStock(order_pb2.AuditStockRequest(disc_ids=[disc.id]), timeout=TIMEOUT_S)
    )
    await shop.order.CancelOrder(order_pb2.CancelOrderRequest(order_id=order.id, request_id="c"), timeout=TIMEOUT_S)
    return customer.id, disc.id


def one_order(customer_id: str, disc_id: str, request_id: str) -> order_pb2.CreateOrderRequest:
    line = order_pb2.OrderLineRequest(disc_id=disc_id, quantity=1)
    return order_pb2.CreateOrderRequest(customer_id=customer_id, request_id=request_id, lines=[line])


async def ask_for_what_is_taken(canary: Canary, customer_id: str) -> list[grpc.StatusCode]:
    customers, person = canary.shop.customer, canary.person
    other = await canary.shop.make_customer(document=OTHER_DOCUMENT)
    again = customer_pb2.CreateCustomerRequest(customer=customer_pb2.Customer(**person))
    changed = customer_pb2.CreateCustomerRequest(
        customer=customer_pb2.Customer(**{**person, "birth_date": "1950-01-01"}), customer_id=customer_id
    )
    taken = customer_pb2.UpdateCustomerRequest(customer=customer_pb2.Customer(id=other.id, document=DOCUMENT))
    taken.update_mask.paths.append("document")
    return [
        await canary.errors.code_of(customers.CreateCustomer(again, timeout=TIMEOUT_S)),
        await canary.errors.code_of(customers.CreateCustomer(changed, timeout=TIMEOUT_S)),
        await canary.errors.code_of(customers.UpdateCustomer(taken, timeout=TIMEOUT_S)),
    ]


async def meet_faults_of_the_databases(canary: Canary, customer_id: str, disc_id: str) -> set[grpc.StatusCode]:
    """Constraints that nobody expects, whose errors quote whole rows; for a few orders, and for as many as are copied."""
    mark, shop = canary.secrets[0][:4], canary.shop
    constraint = "CHECK ({} NOT LIKE '%{}%') NOT VALID"
    for name, table, column in (("customer", "customers", "name"), ("order", "orders", "customer_name")):
        check = constraint.format(column, mark)
        await canary.admins[name].execute(f"ALTER TABLE {table} ADD CONSTRAINT unexpected {check}")
    edit = customer_pb2.UpdateCustomerRequest(
        customer=customer_pb2.Customer(id=customer_id, name=canary.person["name"] + "!")
    )
    edit.update_mask.paths.append("name")
    batch = [one_order(customer_id, disc_id, f"batch-{number}") for number in range(250)]
    calls = (
        shop.customer.UpdateCustomer(edit, timeout=TIMEOUT_S),
        shop.order.CreateOrder(one_order(customer_id, disc_id, "two"), timeout=TIMEOUT_S),
    )
    codes = {await canary.errors.code_of(call) for call in calls}
    response = await shop.order.BatchCreateOrders(order_pb2.BatchCreateOrdersRequest(requests=batch), timeout=TIMEOUT_S)
    for result in response.results:
        canary.errors.keep(str(result))
    for name, table in (("customer", "customers"), ("order", "orders")):
        await canary.admins[name].execute(f"ALTER TABLE {table} DROP CONSTRAINT unexpected")
    return codes


async def lose_a_backend(canary: Canary, customer_id: str) -> grpc.StatusCode:
    """The server's process dies in the middle of a statement that has a person's data for arguments."""
    admin = canary.admins["customer"]
    edit = customer_pb2.UpdateCustomerRequest(
        customer=customer_pb2.Customer(id=customer_id, phone=PHONE, email=f"new.{canary.person['email']}")
    )
    edit.update_mask.paths.extend(["phone", "email"])
    async with admin.transaction():
        await admin.execute("SELECT FROM customers FOR UPDATE")
        running = asyncio.ensure_future(
            canary.errors.code_of(canary.shop.customer.UpdateCustomer(edit, timeout=TIMEOUT_S))
        )
        waiting = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        pid = await eventually(lambda: admin.fetchval(waiting), lambda pid: pid is not None)
        await admin.execute("SELECT pg_terminate_backend($1)", pid)
    return await running


async def test_nothing_that_is_written_and_no_error_holds_a_persons_data_or_a_password(canary: Canary) -> None:
    customer_id, disc_id = await live(canary)
    called = await call_everything_with_bad_fields(canary)
    assert {"CreateOrder", "PlaceOrders", "CreateCustomer", "ReserveStock", "CreateDisc"} <= called
    assert await ask_for_what_is_taken(canary, customer_id) == [grpc.StatusCode.ALREADY_EXISTS] * 3
    assert await meet_faults_of_the_databases(canary, customer_id, disc_id) == {grpc.StatusCode.INTERNAL}
    assert await lose_a_backend(canary, customer_id) is grpc.StatusCode.UNAVAILABLE
    written = canary.written()
    # All of it was looked at: calls, slow ones and failed ones, PostgreSQL's statements and its errors, and what callers were told.
    assert '"event": "slow call"' in written["order"]
    assert '"event": "call failed"' in written["customer"]
    assert '"event": "group failed"' in written["order"]
    assert "violates check constraint" in written["postgres"]
    assert "duplicate key value violates unique constraint" in written["postgres"]
    assert "INSERT INTO customers" in written["postgres"]
    assert "DOCUMENT_TAKEN" in written["errors"]
    found = [(where, secret) for where, text in written.items() for secret in canary.secrets if secret in text]
    assert found == []
