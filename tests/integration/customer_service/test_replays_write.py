"""An answer to a repeated call waits for a synchronous standby, as the first one's did: both commit a write."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from recordshop.customer.v1.customer_pb2 import CreateCustomerRequest
from tests.conftest import ProvisionedPostgres
from tests.integration.customer_service.people import created, new_person, update


@pytest.fixture
async def writer_of(postgres: ProvisionedPostgres) -> Any:
    """Answers which transaction wrote a customer last."""
    connection = await asyncpg.connect(postgres.dsn("customer", "customer_service"), timeout=10)

    async def last_writer(customer_id: str) -> str:
        return await connection.fetchval("SELECT xmin::text FROM customers WHERE id = $1", customer_id)

    yield last_writer
    await connection.close(timeout=10)


async def test_a_repeated_create_writes(customers: Any, writer_of: Any) -> None:
    request = CreateCustomerRequest(customer=new_person(), customer_id=str(uuid4()))
    await customers.CreateCustomer(request)
    first_writer = await writer_of(request.customer_id)
    await customers.CreateCustomer(request)
    assert await writer_of(request.customer_id) != first_writer


async def test_a_repeated_edit_writes(customers: Any, writer_of: Any) -> None:
    before = await created(customers)
    request = update(before.id, "name", name="Ana Lima", etag=before.etag)
    await customers.UpdateCustomer(request)
    first_writer = await writer_of(before.id)
    await customers.UpdateCustomer(request)
    assert await writer_of(before.id) != first_writer
