import asyncio
from typing import Any
from uuid import uuid4

import grpc

from recordshop.customer.v1.customer_pb2 import Customer, GetCustomerRequest, UpdateCustomerRequest
from tests.integration.customer_service.people import created, new_document, update
from tests.integration.refusals import refusal_of

ALL = {
    "name": "Bruno Reis",
    "birth_date": "1971-06-30",
    "email": "bruno.reis@example.com",
    "phone": "(21) 2345-6789",
    "active": False,
}


async def test_an_edit_changes_what_the_mask_names_and_nothing_else(customers: Any) -> None:
    before = await created(customers)
    after = await customers.UpdateCustomer(update(before.id, "name", name="Ana Lima", phone="190", email="ignored"))
    assert after.name == "Ana Lima"
    assert after.etag != before.etag
    assert after.update_time.ToDatetime() > before.update_time.ToDatetime()
    expected = Customer()
    expected.CopyFrom(before)
    expected.name, expected.etag = after.name, after.etag
    expected.update_time.CopyFrom(after.update_time)
    assert after == expected
    assert await customers.GetCustomer(GetCustomerRequest(id=before.id)) == after


async def test_every_field_can_be_edited_at_once(customers: Any) -> None:
    before = await created(customers)
    values = {**ALL, "document": new_document()}
    after = await customers.UpdateCustomer(update(before.id, *values, **values))
    assert {field: getattr(after, field) for field in values} == values


async def test_a_star_edits_every_field(customers: Any) -> None:
    before = await created(customers)
    values = {**ALL, "document": new_document()}
    after = await customers.UpdateCustomer(update(before.id, "*", **values))
    assert {field: getattr(after, field) for field in values} == values


async def test_without_a_mask_an_edit_changes_what_is_not_at_its_default(customers: Any) -> None:
    before = await created(customers)
    after = await customers.UpdateCustomer(update(before.id, phone="190", active=False))
    assert after.phone == "190"
    assert after.active
    assert after.name == before.name


async def test_without_a_mask_and_values_an_edit_changes_nothing(customers: Any) -> None:
    before = await created(customers)
    assert await customers.UpdateCustomer(update(before.id)) == before


async def test_a_customer_is_deactivated_and_activated_by_name(customers: Any) -> None:
    one = await created(customers)
    assert not (await customers.UpdateCustomer(update(one.id, "active", active=False))).active
    assert not (await customers.GetCustomer(GetCustomerRequest(id=one.id))).active
    assert (await customers.UpdateCustomer(update(one.id, "active", active=True))).active


async def test_an_edit_with_the_etag_that_was_read_is_done(customers: Any) -> None:
    before = await created(customers)
    after = await customers.UpdateCustomer(update(before.id, "name", name="Ana Lima", etag=before.etag))
    assert after.name == "Ana Lima"


async def test_an_edit_with_an_old_etag_overwrites_nobody(customers: Any) -> None:
    before = await created(customers)
    after = await customers.UpdateCustomer(update(before.id, "name", name="Ana Lima"))
    for old in (before.etag, "another service's", "0" + after.etag, " " + after.etag, "1e9", "9" * 64):
        refused = await refusal_of(
            customers.UpdateCustomer(update(before.id, "name", "phone", name="A", phone="190", etag=old))
        )
        assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
        assert refused.metadata == {"customer_id": before.id}
    assert await customers.GetCustomer(GetCustomerRequest(id=before.id)) == after


async def test_a_repeated_edit_is_answered_unchanged_even_with_the_old_etag(customers: Any) -> None:
    before = await created(customers)
    request = update(before.id, "name", "active", name="Ana Lima", active=False, etag=before.etag)
    after = await customers.UpdateCustomer(request)
    assert await customers.UpdateCustomer(request) == after
    later = await customers.UpdateCustomer(update(before.id, "phone", phone="190"))
    assert await customers.UpdateCustomer(request) == later


async def test_an_edit_without_an_etag_that_changes_nothing_keeps_the_etag(customers: Any) -> None:
    before = await created(customers)
    assert await customers.UpdateCustomer(update(before.id, "name", name=before.name)) == before


async def test_a_document_in_another_spelling_is_no_edit(customers: Any) -> None:
    before = await created(customers)
    spelled = f"{before.document[:3]}.{before.document[3:6]}.{before.document[6:9]}-{before.document[9:]}"
    assert await customers.UpdateCustomer(update(before.id, "document", document=spelled)) == before


async def test_of_two_editors_with_one_etag_exactly_one_is_aborted(customers: Any) -> None:
    for _ in range(20):
        before = await created(customers)
        requests = [update(before.id, "name", name=name, etag=before.etag) for name in ("Ana Lima", "Ana Reis")]
        answers = await asyncio.gather(*map(customers.UpdateCustomer, requests), return_exceptions=True)
        aborted = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        [done] = [answer for answer in answers if isinstance(answer, Customer)]
        assert [error.code() for error in aborted] == [grpc.StatusCode.ABORTED]
        assert await customers.GetCustomer(GetCustomerRequest(id=before.id)) == done


async def test_editors_of_different_fields_without_etags_lose_nothing(customers: Any) -> None:
    before = await created(customers)
    requests = [update(before.id, field, **{field: value}) for field, value in ALL.items()] * 3
    await asyncio.gather(*map(customers.UpdateCustomer, requests))
    after = await customers.GetCustomer(GetCustomerRequest(id=before.id))
    assert {field: getattr(after, field) for field in ALL} == ALL
    assert int(after.etag) == int(before.etag) + len(ALL)


async def test_a_document_of_another_customer_is_refused(customers: Any) -> None:
    one, other = await created(customers), await created(customers)
    request = update(one.id, "document", "name", document=other.document, name="Ana Lima")
    refused = await refusal_of(customers.UpdateCustomer(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "DOCUMENT_TAKEN")
    assert await customers.GetCustomer(GetCustomerRequest(id=one.id)) == one


async def test_two_customers_who_exchange_documents_at_the_same_moment_are_both_refused_or_answered(
    customers: Any,
) -> None:
    for _ in range(5):
        one, other = await created(customers), await created(customers)
        answers = await asyncio.gather(
            refusal_of(customers.UpdateCustomer(update(one.id, "document", document=other.document))),
            refusal_of(customers.UpdateCustomer(update(other.id, "document", document=one.document))),
        )
        assert [answer.reason for answer in answers] == ["DOCUMENT_TAKEN"] * 2


async def test_an_unknown_customer_is_not_found_with_or_without_an_etag(customers: Any) -> None:
    missing = str(uuid4())
    for etag in ("", "1"):
        refused = await refusal_of(customers.UpdateCustomer(update(missing, "name", name="Ana", etag=etag)))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND")
        assert refused.metadata == {"customer_id": missing}


async def test_all_bad_fields_and_paths_are_named_at_once(customers: Any) -> None:
    request = update("7", "id", "name", "email", "birth_date", name="\0", email="@", birth_date="today", etag="\0")
    refused = await refusal_of(customers.UpdateCustomer(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    fields = ["id", "etag", "name", "birth_date", "email"]
    assert [*refused.bad_fields] == ["update_mask", *(f"customer.{field}" for field in fields)]


async def test_a_request_without_a_customer_is_refused(customers: Any) -> None:
    refused = await refusal_of(customers.UpdateCustomer(UpdateCustomerRequest()))
    assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["customer"])


async def test_thousands_of_bad_paths_are_still_an_invalid_argument(customers: Any) -> None:
    one = await created(customers)
    paths = [f"\U000e0001{number}" * 100 for number in range(2_000)]
    refused = await refusal_of(customers.UpdateCustomer(update(one.id, *paths)))
    assert refused.code == grpc.StatusCode.INVALID_ARGUMENT
    assert set(refused.bad_fields) == {"update_mask"}
