"""A person's data appears in answers about that person, and nowhere else."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc_status import rpc_status

from recordshop.customer.v1.customer_pb2 import CreateCustomerRequest, ListCustomersRequest
from tests.integration.customer_service.people import created, new_person, update


async def text_of(call: Awaitable[object]) -> str:
    """All that an error says to its caller."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    error = refused.value
    return f"{error.details()} {rpc_status.from_call(error)} {error.trailing_metadata()}"


def personal(**changes: Any) -> tuple[Any, list[str]]:
    """A person, and what nobody else shall read of this one."""
    mark = uuid4().hex
    person = new_person(**{"name": f"Ana {mark}", "email": f"ana@{mark}.example.com", "phone": "5550199123", **changes})
    return person, [person.document, mark, person.phone, person.birth_date]


async def test_errors_and_logs_hold_no_personal_data(customers: Any, read_logs: Callable[[], str]) -> None:
    person, secrets = personal(birth_date="1933-07-19")
    owner = await customers.CreateCustomer(CreateCustomerRequest(customer=person))
    other = await created(customers)
    bad = {"document": person.document[:-1] + "x", "name": person.name + "\0", "phone": person.phone + "x"}
    bad_person, _ = personal(**bad, email=person.email + " ", birth_date="1933-07-19T00:00")
    texts = [
        await text_of(customers.CreateCustomer(CreateCustomerRequest(customer=person))),
        await text_of(customers.CreateCustomer(CreateCustomerRequest(customer=new_person(), customer_id=owner.id))),
        await text_of(customers.CreateCustomer(CreateCustomerRequest(customer=bad_person))),
        await text_of(customers.UpdateCustomer(update(other.id, "document", document=person.document))),
        await text_of(customers.UpdateCustomer(update(owner.id, "name", "phone", etag="0", name="A", phone="190"))),
        await text_of(customers.UpdateCustomer(update(owner.id, *bad, **bad))),
        await text_of(
            customers.ListCustomers(ListCustomersRequest(document=bad["document"], email=person.email + "\0"))
        ),
    ]
    texts.append(read_logs())
    assert not [secret for secret in secrets for text in texts if secret in text]
