"""Who keeps customers learns of every edit: those of transactions that were open when it looked last, and those made past the service."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from customer_service.edits import CustomerEdits
from customer_service.model import NOTHING_KEPT, CustomerBatch
from customer_service.model import Customer as KeptCustomer
from customer_service.repository import CustomerRepository
from recordshop.customer.v1.customer_pb2 import BatchGetCustomersRequest, BatchGetCustomersResponse, Customer
from service_runtime.database import Database
from tests.conftest import ProvisionedPostgres
from tests.integration.customer_service.people import created, documents, new_document, update
from tests.integration.refusals import refusal_of

RENAME = "UPDATE customers SET name = $2 WHERE id = $1"
ADD_MANY = """
INSERT INTO customers (id, document, name, birth_date, email, phone, created_fingerprint)
SELECT id, document, 'One of many', '1984-11-05', 'many@example.com', '190', sha256(document::bytea)
FROM unnest($1::uuid[], $2::text[]) AS new (id, document)
"""
EDIT_MANY = "UPDATE customers SET phone = '191' WHERE id = ANY ($1::uuid[])"
EDITS_MAX = 1_000


@pytest.fixture
async def past_the_service(postgres: ProvisionedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the service's own database, with its owner's rights."""
    connection = await asyncpg.connect(postgres.dsn("customer", "customer_owner"), timeout=10)
    yield connection
    await connection.close(timeout=10)


async def sync(customers: Any, token: str, *ids: str, mask: FieldMask | None = None) -> BatchGetCustomersResponse:
    request = BatchGetCustomersRequest(ids=ids, skip_missing=True, sync_token=token, read_mask=mask)
    return await customers.BatchGetCustomers(request)


async def token_now(customers: Any) -> str:
    return (await sync(customers, "")).next_sync_token


def edited_ids(answer: BatchGetCustomersResponse) -> set[str]:
    assert not answer.sync_lost
    return {customer.id for customer in answer.edited_customers}


async def test_an_edit_is_told_to_whoever_looked_before_it_as_it_is_now(customers: Any) -> None:
    edited, other = await created(customers), await created(customers)
    token = await token_now(customers)
    await customers.UpdateCustomer(update(edited.id, "name", name="Ana Lima"))
    last = await customers.UpdateCustomer(update(edited.id, "active", active=False))
    answer = await sync(customers, token, other.id)
    assert [customer for customer in answer.edited_customers if customer.id == edited.id] == [last]
    assert list(answer.customers) == [other]
    assert other.id not in edited_ids(answer)


async def test_an_edit_that_was_under_way_when_somebody_looked_is_told_after_it(
    customers: Any, past_the_service: asyncpg.Connection
) -> None:
    customer = await created(customers)
    async with past_the_service.transaction():
        await past_the_service.execute(RENAME, UUID(customer.id), "Ana Lima")
        # Later transactions come and go, and somebody looks.
        await created(customers)
        token = await token_now(customers)
        assert customer.id not in edited_ids(await sync(customers, token))
    token_after = (answer := await sync(customers, token)).next_sync_token
    assert customer.id in edited_ids(answer)
    assert customer.id not in edited_ids(await sync(customers, token_after))


async def test_an_edit_right_after_the_customers_were_read_is_told_the_next_time(
    database: Database, as_owner: asyncpg.Connection
) -> None:
    customer_id = uuid4()
    await as_owner.execute(ADD_MANY, [customer_id], [new_document()])

    class EditedWhenRead(CustomerRepository):
        async def get_all(self, customer_ids: Any, *, skip_missing: bool) -> list[KeptCustomer]:
            read = await super().get_all(customer_ids, skip_missing=skip_missing)
            await as_owner.execute(RENAME, customer_id, "Ana Lima")
            return read

    edits = CustomerEdits(database=database, customers=EditedWhenRead(database=database, documents=documents()))
    first = await edits.read(CustomerBatch(ids=[customer_id], skip_missing=True, since=NOTHING_KEPT))
    assert first.edits is not None
    second = await edits.read(CustomerBatch(ids=[], skip_missing=True, since=first.edits.now))
    assert second.edits is not None
    assert [(customer.id, customer.name) for customer in second.edits.customers] == [(customer_id, "Ana Lima")]


async def test_an_edit_made_past_the_service_is_told_too(customers: Any, postgres: ProvisionedPostgres) -> None:
    customer = await created(customers)
    token = await token_now(customers)
    owner = await asyncpg.connect(postgres.dsn("customer", "customer_owner"), timeout=10)
    await owner.execute(RENAME, UUID(customer.id), "Ana Lima")
    await owner.close(timeout=10)
    assert customer.id in edited_ids(await sync(customers, token))


async def test_a_new_customer_is_not_an_edited_one(customers: Any) -> None:
    token = await token_now(customers)
    customer = await created(customers)
    assert customer.id not in edited_ids(await sync(customers, token))


async def test_edits_are_answered_with_the_fields_that_are_asked_for(customers: Any) -> None:
    customer = await created(customers)
    token = await token_now(customers)
    await customers.UpdateCustomer(update(customer.id, "active", active=False))
    answer = await sync(customers, token, mask=FieldMask(paths=["id", "name"]))
    assert Customer(id=customer.id, name=customer.name) in answer.edited_customers


async def test_who_keeps_nobody_is_told_where_to_begin(customers: Any) -> None:
    customer = await created(customers)
    answer = await sync(customers, "", customer.id)
    assert answer.sync_lost
    assert answer.next_sync_token
    assert list(answer.customers) == [customer]
    assert not answer.edited_customers


@pytest.mark.parametrize("many", [EDITS_MAX, EDITS_MAX + 1])
async def test_more_than_a_thousand_edits_are_not_told(
    customers: Any, past_the_service: asyncpg.Connection, many: int
) -> None:
    ids = [uuid4() for _ in range(many)]
    await past_the_service.execute(ADD_MANY, ids, [new_document() for _ in ids])
    token = await token_now(customers)
    await past_the_service.execute(EDIT_MANY, ids)
    answer = await sync(customers, token)
    assert answer.sync_lost == (many > EDITS_MAX)
    assert len(answer.edited_customers) == (0 if answer.sync_lost else many)
    assert not edited_ids(await sync(customers, answer.next_sync_token)) & set(map(str, ids))


@pytest.mark.parametrize(
    "moved",
    [
        lambda database, xid: f"{database[:-8]}000000FF/{xid}",
        lambda database, xid: f"1{database}/{xid}",
        lambda database, xid: f"{database}/{int(xid) + 1_000_000_000}",
    ],
    ids=["another timeline", "another cluster", "a moment that this database has not come to"],
)
async def test_a_token_of_another_database_is_lost(customers: Any, moved: Any) -> None:
    token = moved(*(await token_now(customers)).split("/"))
    answer = await sync(customers, token)
    assert answer.sync_lost
    assert not answer.edited_customers


@pytest.mark.parametrize("token", ["x", "1-0000000A", "1-0000000A/", "1-0000000A/-7", "1-0000000A/7\n", "1" * 5_000])
async def test_a_token_that_was_not_answered_here_is_a_bad_field(customers: Any, token: str) -> None:
    refused = await refusal_of(sync(customers, token))
    assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["sync_token"])
