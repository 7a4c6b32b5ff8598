"""A person is removed from the customer and from every order, whoever is killed, away or on the way meanwhile; the orders stay."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from order_service.intake import COPY_SIZE_MIN
from recordshop.customer.v1 import customer_pb2
from recordshop.error_details import error_from_rpc
from recordshop.errors import (
    AnonymizationPending,
    CustomerAnonymized,
    CustomerExists,
    CustomerInactive,
    CustomerNotFound,
    InvalidArgument,
    ShopError,
)
from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of
from tests.faults.crashes import ANONYMIZING
from tests.faults.stage import CALL_TIMEOUT_S, Stage
from tests.faults.waiting import eventually

SNAPSHOTS = "SELECT DISTINCT customer_name, masked_document FROM orders WHERE customer_id = $1"
COUNT = "SELECT count(*) FROM orders WHERE customer_id = $1"
PENDING = "SELECT count(*) FROM pending_anonymizations WHERE customer_id = $1"
ROW = "SELECT customers::text FROM customers WHERE id = $1"
# As the service's own statement does it: look who was anonymized, then write.
LOOK = "SELECT FROM anonymized_customers WHERE customer_id = $1"
INSERT = """
INSERT INTO orders (
    id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason
)
VALUES (
    $1, $2, 'late', decode(repeat('00', 16), 'hex'), 'Ada Late', '***.456.789-**', ARRAY[gen_random_uuid()], '{1}',
    'REJECTED', 'DISC_DELETED'
)
"""
EMPTY = [("", "")]


class Person:
    """A customer with orders, and what the databases have of them."""

    def __init__(self, stage: Stage, customer: customer_pb2.Customer, disc_id: str, customers: Any) -> None:
        self.stage = stage
        self.customer = customer
        self.id = UUID(customer.id)
        self.disc_id = disc_id
        self._customers = customers

    async def place(self, request_id: str, **how: Any) -> Any:
        return await answer_of(self.stage.place(request_id, {self.disc_id: 1}, customer_id=self.customer.id, **how))

    async def anonymize(self) -> customer_pb2.Customer:
        """Asks once; raises a ShopError."""
        request = customer_pb2.AnonymizeCustomerRequest(id=self.customer.id)
        try:
            return await self.stage.shop.customer.AnonymizeCustomer(
                request, timeout=CALL_TIMEOUT_S, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error

    async def snapshots(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in await self.stage.books.orders.fetch(SNAPSHOTS, self.id)]  # type: ignore[misc]

    async def orders(self) -> int:
        count: int = await self.stage.books.orders.fetchval(COUNT, self.id)
        return count

    async def row(self) -> str:
        text: str = await self._customers.fetchval(ROW, self.id)
        return text

    async def is_pending(self) -> bool:
        return bool(await self._customers.fetchval(PENDING, self.id))

    async def gone_in_the_end(self) -> None:
        """Waits, without a caller, until nobody has anything to do any more; then nothing of the person is left."""
        await eventually(self.is_pending, lambda pending: not pending)
        assert await self.snapshots() == EMPTY
        row = await self.row()
        for data in (self.customer.name, self.customer.email, self.customer.phone, self.customer.birth_date):
            assert data not in row


@pytest.fixture
async def person(stage: Stage, postgres: Any) -> AsyncIterator[Person]:
    """A customer who has bought a copy."""
    database = urlsplit(stage.shop.local.customer_dsn).path.lstrip("/")
    async with asyncpg.create_pool(postgres.admin_dsn(database), min_size=0, max_size=2) as customers:
        customer = await stage.shop.make_customer(name=f"Ada {uuid4()}")
        person = Person(stage, customer, await stage.disc(stock=1_000), customers)
        assert status_of(await person.place("first")) == "CONFIRMED"
        assert await person.snapshots() == [(customer.name, customer.masked_document)]
        yield person


async def test_nothing_of_the_person_is_left_and_the_orders_are_counted_as_before(person: Person) -> None:
    stage, before = person.stage, person.customer
    gone = await person.anonymize()
    assert gone.anonymize_time.seconds >= before.create_time.seconds
    assert gone == customer_pb2.Customer(
        id=before.id,
        active=False,
        etag="2",
        create_time=before.create_time,
        update_time=gone.anonymize_time,
        anonymize_time=gone.anonymize_time,
    )
    await person.gone_in_the_end()
    assert await person.orders() == 1
    [order] = [order async for order in stage.client.list_orders(order_pb2.ListOrdersRequest(customer_id=before.id))]
    assert order.status == order_pb2.ORDER_STATUS_CONFIRMED
    assert order.customer == order_pb2.CustomerSnapshot()
    # A second time, and what can be asked for afterwards.
    assert await person.anonymize() == gone
    assert isinstance(await person.place("second"), CustomerInactive)
    assert await person.snapshots() == EMPTY
    edit = customer_pb2.UpdateCustomerRequest(
        customer=customer_pb2.Customer(id=before.id, active=True), update_mask=FieldMask(paths=["active"])
    )
    again = customer_pb2.CreateCustomerRequest(customer=before, customer_id=before.id)
    refused = []
    for call in (stage.shop.customer.UpdateCustomer(edit), stage.shop.customer.CreateCustomer(again)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        refused.append(type(error_from_rpc(error.value)))
    assert refused == [CustomerAnonymized, CustomerExists]
    # The person may come back as somebody new.
    assert (await stage.shop.make_customer(document=before.document)).document == before.document
    await stage.promise_kept(person.disc_id)


async def test_who_is_unknown_is_not_found_and_what_is_no_id_is_refused(person: Person) -> None:
    for customer_id, expected in ((str(uuid4()), CustomerNotFound), ("nobody", InvalidArgument)):
        person.customer.id = customer_id
        with pytest.raises(expected):
            await person.anonymize()


@pytest.mark.parametrize("failpoint", ANONYMIZING)
async def test_killed_between_two_steps_it_is_driven_to_its_end_without_a_caller(
    person: Person, failpoint: str
) -> None:
    stage = person.stage
    async with stage.failpoints.trap(failpoint) as trap:
        calling = asyncio.create_task(answer_of(person.anonymize()))
        held = await trap.reached()
        assert person.customer.name not in await person.row()
        assert await person.is_pending()
        assert (await person.snapshots() == EMPTY) == (failpoint == "customer.orders_anonymized")
        held.die()
        await stage.died(stage.customer)
    calling.cancel()
    await stage.start(stage.customer)
    await person.gone_in_the_end()
    assert (await person.anonymize()).anonymize_time.seconds
    await stage.promise_kept(person.disc_id)


async def test_while_the_order_service_is_away_it_waits_and_then_goes_on_by_itself(person: Person) -> None:
    stage = person.stage
    stage.order.kill()
    with pytest.raises(AnonymizationPending) as pending:
        await person.anonymize()
    assert pending.value.metadata == {"customer_id": person.customer.id}
    assert person.customer.name not in await person.row()
    assert await person.is_pending()
    await stage.start(stage.order)
    await person.gone_in_the_end()
    assert (await person.anonymize()).anonymize_time.seconds


@pytest.mark.parametrize("mode", [order_pb2.ORDER_MODE_SYNC, order_pb2.ORDER_MODE_ASYNC])
async def test_an_order_on_its_way_in_is_taken_in_without_the_person(
    person: Person, mode: order_pb2.OrderMode.ValueType
) -> None:
    stage = person.stage
    async with stage.failpoints.trap("order.customer_known") as trap:
        placing = asyncio.create_task(person.place("late", mode=mode))
        held = await trap.reached()
        await person.anonymize()
        held.go()
        order = await placing
    assert not isinstance(order, ShopError)
    await stage.books.nothing_open()
    assert await person.orders() == 2
    assert await person.snapshots() == EMPTY
    await stage.promise_kept(person.disc_id)


async def test_so_many_orders_on_their_way_in_that_they_are_copied_are_too(person: Person) -> None:
    stage = person.stage
    requests = [
        stage.request(f"late-{number}", {person.disc_id: 1}, customer_id=person.customer.id)
        for number in range(COPY_SIZE_MIN)
    ]
    async with stage.failpoints.trap("order.customer_known") as trap:
        batch = order_pb2.BatchCreateOrdersRequest(requests=requests)
        placing = asyncio.ensure_future(stage.shop.order.BatchCreateOrders(batch, timeout=CALL_TIMEOUT_S))
        held = await trap.reached()
        await person.anonymize()
        held.go()
        answer = await placing
    assert {result.order.status for result in answer.results} == {order_pb2.ORDER_STATUS_CONFIRMED}
    assert await person.orders() == 1 + COPY_SIZE_MIN
    assert await person.snapshots() == EMPTY
    await stage.promise_kept(person.disc_id)


async def test_an_order_that_is_being_written_is_waited_for(person: Person) -> None:
    async with person.stage.books.orders.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(LOOK, person.id)
        await connection.execute(INSERT, uuid4(), person.id)
        with pytest.raises(AnonymizationPending):
            await person.anonymize()
        # Whoever buys meanwhile is not held up for long, and nobody is after it.
        other = await person.stage.place_at_last(f"other-{uuid4()}", {person.disc_id: 1})
        assert other.status == order_pb2.ORDER_STATUS_CONFIRMED
        await transaction.commit()
    await person.gone_in_the_end()
    assert await person.orders() == 2
