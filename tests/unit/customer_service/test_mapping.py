from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from customer_service import mapping
from customer_service.model import CustomerDraft, CustomerEdit
from recordshop.customer.v1.customer_pb2 import (
    BatchGetCustomersRequest,
    CreateCustomerRequest,
    Customer,
    GetCustomerRequest,
    UpdateCustomerRequest,
)
from service_runtime.errors import InvalidArgument

ID = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
GOOD = {
    "document": "529.982.247-25",
    "name": "John Doe",
    "birth_date": "1990-02-28",
    "email": "john@example.com",
    "phone": "+55 (11) 91234-5678",
}
TODAY = datetime.now(UTC).date()


def draft(**changes: str) -> CustomerDraft:
    return mapping.draft_from_proto(CreateCustomerRequest(customer=Customer(**{**GOOD, **changes})), None)


def edit(*paths: str, **values: object) -> CustomerEdit:
    customer = Customer(**{"id": ID, **values})
    return mapping.edit_from_proto(UpdateCustomerRequest(customer=customer, update_mask=FieldMask(paths=paths)), None)


def bad_fields(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [violation.field for violation in refused.value.violations]


def test_a_draft_holds_what_was_sent_with_the_document_as_digits() -> None:
    read = draft()
    assert (read.document, read.name, read.birth_date) == ("52998224725", "John Doe", date(1990, 2, 28))
    assert (read.email, read.phone) == ("john@example.com", "+55 (11) 91234-5678")


def test_a_draft_without_an_id_gets_a_new_one_each_time() -> None:
    assert draft().id != draft().id


def test_two_drafts_have_one_fingerprint_only_if_their_content_is_equal() -> None:
    first = draft()
    assert draft(document="52998224725").fingerprint == first.fingerprint
    changes = {
        "document": "11144477735",
        "name": "John Do",
        "birth_date": "1990-02-27",
        "email": "John@example.com",
        "phone": "123",
    }
    others = [draft(**{field: value}).fingerprint for field, value in changes.items()]
    assert len({first.fingerprint, *others}) == 6


def test_all_missing_fields_of_a_new_customer_are_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.draft_from_proto(CreateCustomerRequest(customer_id="42", customer=Customer()), None)
    assert bad_fields(refused) == ["customer_id", *(f"customer.{field}" for field in GOOD)]


def test_a_request_without_a_customer_hears_just_that() -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.draft_from_proto(CreateCustomerRequest(customer_id="42"), None)
    assert bad_fields(refused) == ["customer_id", "customer"]
    with pytest.raises(InvalidArgument) as refused:
        mapping.edit_from_proto(UpdateCustomerRequest(update_mask=FieldMask(paths=["phone", "fax"])), None)
    assert bad_fields(refused) == ["update_mask", "customer"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("document", "529.982.247-26"),
        ("document", "52998224725\0"),
        ("name", " \t\n\u3000"),
        ("name", "a\0b"),
        ("name", "n" * 201),
        ("birth_date", ""),
        ("birth_date", "1899-12-31"),
        ("birth_date", "2023-02-29"),
        ("birth_date", "19900228"),
        ("birth_date", "1990-W09-3"),
        ("birth_date", "1990-02-28T00:00:00"),
        ("birth_date", "१९९०-02-28"),
        ("birth_date", (TODAY + timedelta(days=2)).isoformat()),
        ("email", "a@"),
        ("email", "@example.com"),
        ("email", "john"),
        ("email", "a@b@c"),
        ("email", "jo hn@example.com"),
        ("email", "john@example.com\n"),
        ("email", "john\u3000@example.com"),
        ("email", "jo\0hn@example.com"),
        ("email", "j" * 243 + "@example.com"),
        ("phone", "12"),
        ("phone", "+-( )"),
        ("phone", "1" * 16),
        ("phone", "123" + " " * 30),
        ("phone", "123x"),
        ("phone", "123\n"),
        ("phone", "123\0"),
        ("phone", "١٢٣"),
    ],
)
def test_a_value_out_of_bounds_is_refused_under_its_path(field: str, value: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        draft(**{field: value})
    assert bad_fields(refused) == [f"customer.{field}"]
    assert not value.strip() or value not in refused.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "n" * 200),
        ("name", "名" * 200),
        ("birth_date", "1900-01-01"),
        ("birth_date", TODAY.isoformat()),
        ("email", "a@b"),
        ("email", "j" * 242 + "@example.com"),
        ("phone", "190"),
        ("phone", "1" * 15),
        ("phone", "123" + " " * 29),
    ],
)
def test_a_value_at_its_bound_is_taken(field: str, value: str) -> None:
    taken = getattr(draft(**{field: value}), field)
    assert str(taken) == value


def test_an_edit_reads_only_what_the_mask_names() -> None:
    read = edit("name", name="Jane", email="not an address", phone="?")
    assert read.name == "Jane"
    assert (read.document, read.birth_date, read.email, read.phone, read.active) == (None,) * 5


def test_an_edit_without_a_mask_changes_what_is_not_at_its_default() -> None:
    read = edit(name="Jane", active=False)
    assert (read.name, read.active) == ("Jane", None)
    assert edit(active=True).active is True


def test_an_edit_deactivates_when_the_mask_says_so() -> None:
    assert edit("active").active is False


def test_a_star_means_all_fields_also_those_at_their_default() -> None:
    read = edit("*", **GOOD)
    assert (read.document, read.name, read.active) == ("52998224725", "John Doe", False)
    with pytest.raises(InvalidArgument) as refused:
        edit("*", name="Jane")
    assert bad_fields(refused) == ["customer.document", "customer.birth_date", "customer.email", "customer.phone"]


def test_an_edit_names_all_that_is_wrong_with_it_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        edit("id", "nmae", "name", "email", id="7", name="", email="@", etag="e" * 65)
    assert bad_fields(refused) == [
        "update_mask",
        "update_mask",
        "customer.id",
        "customer.etag",
        "customer.name",
        "customer.email",
    ]


@pytest.mark.parametrize(
    "path", ["id", "etag", "create_time", "update_time", "customer.name", "name.first", "", "NAME", "a\0"]
)
def test_a_path_that_is_no_field_to_edit_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        edit(path)
    assert bad_fields(refused) == ["update_mask"]


def test_a_batch_is_one_to_a_thousand_ids() -> None:
    for ids in ([], [ID] * 1_001):
        with pytest.raises(InvalidArgument) as refused:
            mapping.batch_from_proto(BatchGetCustomersRequest(ids=ids), count_max=1_000)
        assert bad_fields(refused) == ["ids"]
    batch, _ = mapping.batch_from_proto(BatchGetCustomersRequest(ids=[ID] * 1_000), count_max=1_000)
    assert batch.ids == [UUID(ID)] * 1_000


def test_each_bad_id_of_a_batch_is_named_by_its_place() -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.batch_from_proto(BatchGetCustomersRequest(ids=["x", ID, ""]), count_max=1_000)
    assert bad_fields(refused) == ["ids[0]", "ids[2]"]


@pytest.mark.parametrize("value", ["", "x", ID.replace("-", ""), f"{{{ID}}}", f"{ID}\n", f"urn:uuid:{ID}"])
def test_an_id_is_a_uuid_in_its_canonical_form(value: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        mapping.id_from_proto(GetCustomerRequest(id=value))
    assert bad_fields(refused) == ["id"]
