import asyncio
from typing import Any
from uuid import UUID, uuid4

import grpc

from recordshop.customer.v1.customer_pb2 import CreateCustomerRequest, Customer, GetCustomerRequest
from tests.integration.customer_service.people import created, new_document, new_person, update
from tests.integration.refusals import refusal_of


async def test_a_new_customer_is_answered_as_kept(customers: Any) -> None:
    person = new_person(name="José da Conceição", document="935.411.347-80")
    answer = await customers.CreateCustomer(CreateCustomerRequest(customer=person))
    assert UUID(answer.id)
    assert answer.document == "93541134780"
    assert (answer.name, answer.birth_date) == ("José da Conceição", "1984-11-05")
    assert (answer.email, answer.phone) == (person.email, person.phone)
    assert answer.active
    assert answer.etag
    assert answer.create_time.ToDatetime() == answer.update_time.ToDatetime()
    assert await customers.GetCustomer(GetCustomerRequest(id=answer.id)) == answer


async def test_output_only_fields_of_a_new_customer_are_ignored(customers: Any) -> None:
    person = new_person(id="not a UUID", active=False, etag="\0" * 100)
    person.create_time.seconds = person.update_time.seconds = 7
    answer = await customers.CreateCustomer(CreateCustomerRequest(customer=person))
    assert UUID(answer.id)
    assert answer.active
    assert answer.create_time.seconds > 7


async def test_a_customer_may_have_the_id_that_the_caller_chose(customers: Any) -> None:
    chosen = str(uuid4())
    request = CreateCustomerRequest(customer=new_person(), customer_id=chosen.upper())
    assert (await customers.CreateCustomer(request)).id == chosen


async def test_all_bad_fields_are_named_at_once(customers: Any) -> None:
    bad = Customer(document="52998224726", name="\0", birth_date="1990-02-30", email="a b@c", phone="none")
    refused = await refusal_of(customers.CreateCustomer(CreateCustomerRequest(customer=bad, customer_id="7")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    paths = ["document", "name", "birth_date", "email", "phone"]
    assert [*refused.bad_fields] == ["customer_id", *(f"customer.{path}" for path in paths)]


async def test_a_request_needs_a_customer(customers: Any) -> None:
    refused = await refusal_of(customers.CreateCustomer(CreateCustomerRequest()))
    assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["customer"])


async def test_a_repeated_create_adds_nobody(customers: Any) -> None:
    person = new_person(document="862.883.667-57")
    request = CreateCustomerRequest(customer=person, customer_id=str(uuid4()))
    first = await customers.CreateCustomer(request)
    request.customer.document = "86288366757"
    assert await customers.CreateCustomer(request) == first


async def test_a_repeated_create_answers_the_customer_as_edited_since(customers: Any) -> None:
    request = CreateCustomerRequest(customer=new_person(), customer_id=str(uuid4()))
    first = await customers.CreateCustomer(request)
    values = {"name": "Ana Lima", "document": new_document(), "active": False}
    edited = await customers.UpdateCustomer(update(first.id, *values, **values))
    assert await customers.CreateCustomer(request) == edited
    assert edited.name == "Ana Lima"
    assert not edited.active


async def test_an_id_belongs_to_the_content_that_it_was_created_with(customers: Any) -> None:
    request = CreateCustomerRequest(customer=new_person(), customer_id=str(uuid4()))
    first = await customers.CreateCustomer(request)
    edited = await customers.UpdateCustomer(update(first.id, "name", name="Ana Lima"))
    # Also when the other content is what the customer holds by now.
    request.customer.name = "Ana Lima"
    refused = await refusal_of(customers.CreateCustomer(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "CUSTOMER_EXISTS")
    assert refused.metadata == {"customer_id": first.id}
    assert await customers.GetCustomer(GetCustomerRequest(id=first.id)) == edited


async def test_a_document_belongs_to_one_customer(customers: Any) -> None:
    first = await created(customers)
    again = new_person(document=f"{first.document[:9]}-{first.document[9:]}")
    refused = await refusal_of(customers.CreateCustomer(CreateCustomerRequest(customer=again)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "DOCUMENT_TAKEN")
    assert not refused.metadata


async def test_a_refused_create_leaves_its_id_free(customers: Any) -> None:
    owner = await created(customers)
    request = CreateCustomerRequest(customer=new_person(document=owner.document), customer_id=str(uuid4()))
    assert (await refusal_of(customers.CreateCustomer(request))).reason == "DOCUMENT_TAKEN"
    request.customer.document = new_document()
    assert (await customers.CreateCustomer(request)).id == request.customer_id


async def test_equal_creates_at_the_same_moment_add_one_customer_and_all_are_answered(customers: Any) -> None:
    for _ in range(60):
        request = CreateCustomerRequest(customer=new_person(), customer_id=str(uuid4()))
        answers = await asyncio.gather(*(customers.CreateCustomer(request) for _ in range(8)))
        assert all(answer == answers[0] for answer in answers)


async def test_of_two_customers_who_claim_a_document_at_the_same_moment_one_gets_it(customers: Any) -> None:
    for _ in range(20):
        document = new_document()
        requests = [
            CreateCustomerRequest(customer=new_person(document=document), customer_id=str(uuid4())) for _ in range(4)
        ]
        answers = await asyncio.gather(*map(customers.CreateCustomer, requests), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert [error.code() for error in refused] == [grpc.StatusCode.ALREADY_EXISTS] * 3
