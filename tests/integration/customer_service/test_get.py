from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from recordshop.customer.v1.customer_pb2 import BatchGetCustomersRequest, Customer, GetCustomerRequest
from tests.integration.customer_service.people import created
from tests.integration.refusals import refusal_of


async def test_a_customer_is_found_by_an_id_in_upper_case_too(customers: Any) -> None:
    one = await created(customers)
    assert await customers.GetCustomer(GetCustomerRequest(id=one.id.upper())) == one


async def test_a_customer_who_does_not_exist_is_not_found(customers: Any) -> None:
    missing = str(uuid4())
    refused = await refusal_of(customers.GetCustomer(GetCustomerRequest(id=missing)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND")
    assert refused.metadata == {"customer_id": missing}


async def test_an_id_that_is_no_uuid_is_refused(customers: Any) -> None:
    for bad in ("", "7", "0e92cf1e7bc44f9e8eb63c88627efecb", "0e92cf1e-7bc4-4f9e-8eb6-3c88627efec\0"):
        refused = await refusal_of(customers.GetCustomer(GetCustomerRequest(id=bad)))
        assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["id"])


async def test_a_batch_is_answered_in_the_order_of_its_ids_each_as_often_as_it_is_named(customers: Any) -> None:
    one, two, three = [await created(customers) for _ in range(3)]
    wished = [three, one, three, two, one]
    answer = await customers.BatchGetCustomers(BatchGetCustomersRequest(ids=[customer.id for customer in wished]))
    assert list(answer.customers) == wished


async def test_a_batch_has_a_thousand_ids_at_most(customers: Any) -> None:
    one = await created(customers)
    answer = await customers.BatchGetCustomers(BatchGetCustomersRequest(ids=[one.id] * 1_000))
    assert list(answer.customers) == [one] * 1_000
    for ids in ([], [one.id] * 1_001):
        refused = await refusal_of(customers.BatchGetCustomers(BatchGetCustomersRequest(ids=ids)))
        assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["ids"])


async def test_a_batch_names_each_missing_customer_once(customers: Any) -> None:
    one, first, second = await created(customers), str(uuid4()), str(uuid4())
    ids = [first, one.id, second, first]
    refused = await refusal_of(customers.BatchGetCustomers(BatchGetCustomersRequest(ids=ids)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND")
    assert refused.metadata == {"customer_id": f"{first},{second}", "missing": "2"}


async def test_a_thousand_missing_customers_are_still_not_found(customers: Any) -> None:
    ids = [str(uuid4()) for _ in range(1_000)]
    refused = await refusal_of(customers.BatchGetCustomers(BatchGetCustomersRequest(ids=ids)))
    assert (refused.code, refused.metadata["missing"]) == (grpc.StatusCode.NOT_FOUND, "1000")
    assert refused.metadata["customer_id"].startswith(f"{ids[0]},{ids[1]},")


async def test_each_bad_id_of_a_batch_is_named_by_its_place(customers: Any) -> None:
    one = await created(customers)
    refused = await refusal_of(customers.BatchGetCustomers(BatchGetCustomersRequest(ids=["x", one.id, "\0"])))
    assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["ids[0]", "ids[2]"])


async def test_a_thousand_bad_ids_are_still_an_invalid_argument(customers: Any) -> None:
    refused = await refusal_of(customers.BatchGetCustomers(BatchGetCustomersRequest(ids=["x"] * 1_000)))
    assert refused.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [*refused.bad_fields[:3]] == ["ids[0]", "ids[1]", "ids[2]"]


async def test_a_batch_leaves_out_who_is_missing_if_it_is_told_to(customers: Any) -> None:
    one = await created(customers)
    request = BatchGetCustomersRequest(ids=[str(uuid4()), one.id, str(uuid4()), one.id], skip_missing=True)
    assert list((await customers.BatchGetCustomers(request)).customers) == [one, one]
    nobody = BatchGetCustomersRequest(ids=[str(uuid4())], skip_missing=True)
    assert not (await customers.BatchGetCustomers(nobody)).customers


async def test_a_batch_answers_the_fields_that_are_asked_for_and_no_others(customers: Any) -> None:
    one = await created(customers)
    mask = FieldMask(paths=["name", "active"])
    answer = await customers.BatchGetCustomers(BatchGetCustomersRequest(ids=[one.id], read_mask=mask))
    assert list(answer.customers) == [Customer(name=one.name, active=True)]
    whole = BatchGetCustomersRequest(ids=[one.id], read_mask=FieldMask(paths=["*"]))
    assert list((await customers.BatchGetCustomers(whole)).customers) == [one]
    unknown = BatchGetCustomersRequest(ids=[one.id], read_mask=FieldMask(paths=["name", "password"]))
    refused = await refusal_of(customers.BatchGetCustomers(unknown))
    assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["read_mask"])
