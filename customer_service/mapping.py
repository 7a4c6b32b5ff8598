"""Protos to the words of the customer service, and back. Whatever is wrong with a request is found here."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

from customer_service.cpf import masked, read_cpf
from customer_service.model import (
    NOTHING_KEPT,
    BatchAnswer,
    Customer,
    CustomerBatch,
    CustomerDraft,
    CustomerEdit,
    SyncToken,
)
from recordshop.customer.v1 import customer_pb2
from service_runtime.access_errors import NotPermitted
from service_runtime.timestamps import timestamp
from service_runtime.validation import Fields, reading_fields

EDITABLE = ("document", "name", "birth_date", "email", "phone", "active")
NAME_LENGTH_MAX = 200
EMAIL_LENGTH_MIN = 3
EMAIL_LENGTH_MAX = 254
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
PHONE = re.compile(r"[0-9 +().-]{3,32}")
PHONE_DIGITS_MIN = 3
PHONE_DIGITS_MAX = 15
BIRTH_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
BIRTH_DATE_MIN = date(1900, 1, 1)
SYNC_TOKEN = re.compile(r"([0-9]{1,20}-[0-9A-F]{8})/([0-9]{1,19})")
READERS: Mapping[str, Callable[[Customer], Any]] = {
    "id": lambda customer: str(customer.id),
    "document": attrgetter("document"),
    "masked_document": lambda customer: masked(customer.document),
    "name": attrgetter("name"),
    "birth_date": lambda customer: customer.birth_date.isoformat() if customer.birth_date else "",
    "email": attrgetter("email"),
    "phone": attrgetter("phone"),
    "active": attrgetter("active"),
    "etag": lambda customer: str(customer.version),
    "create_time": lambda customer: timestamp(customer.create_time),
    "update_time": lambda customer: timestamp(customer.update_time),
    "anonymize_time": lambda customer: customer.anonymize_time and timestamp(customer.anonymize_time),
}
# Who needs no more than to tell customers apart gets it masked.
FOR_PEOPLE = {"document"}


def draft_from_proto(request: customer_pb2.CreateCustomerRequest, owner: UUID | None) -> CustomerDraft:
    """Reads a customer to be added, whose id is a new one unless the caller chose it; a customer may add themselves alone."""
    customer = request.customer
    with reading_fields() as fields:
        customer_id = fields.optional_uuid("customer_id", request.customer_id) or owner or uuid4()
        if owner is not None and customer_id != owner:
            raise NotPermitted
        _require_customer(fields, given=request.HasField("customer"))
        return CustomerDraft(
            id=customer_id,
            document=read_document(fields, "customer.document", customer.document),
            name=fields.text("customer.name", customer.name, length_max=NAME_LENGTH_MAX),
            birth_date=_birth_date(fields, customer.birth_date),
            email=_email(fields, customer.email),
            phone=_phone(fields, customer.phone),
        )


def id_from_proto(request: customer_pb2.GetCustomerRequest | customer_pb2.AnonymizeCustomerRequest) -> UUID:
    """Reads whose record is meant."""
    with reading_fields() as fields:
        return fields.uuid("id", request.id)


def batch_from_proto(
    request: customer_pb2.BatchGetCustomersRequest, *, count_max: int, for_service: bool = False
) -> tuple[CustomerBatch, Collection[str]]:
    """Reads whose records are asked for, and which of their fields; for_service leaves out those that are for people alone."""
    with reading_fields() as fields:
        since = _sync_token(fields, request.sync_token) if request.HasField("sync_token") else None
        customer_ids = fields.uuids("ids", request.ids, count_min=int(since is None), count_max=count_max)
        wanted = fields.mask("read_mask", request.read_mask, editable=READERS, populated=READERS)
    batch = CustomerBatch(ids=customer_ids, skip_missing=request.skip_missing, since=since)
    return batch, [field for field in wanted if not (for_service and field in FOR_PEOPLE)]


def edit_from_proto(request: customer_pb2.UpdateCustomerRequest, owner: UUID | None) -> CustomerEdit:
    """Reads the fields that the mask names, and no others; whether they are active is not for customers to say."""
    new = request.customer
    populated = [field for field in EDITABLE if getattr(new, field)]
    with reading_fields() as fields:
        named = fields.mask("update_mask", request.update_mask, editable=EDITABLE, populated=populated)
        if owner is not None and "active" in named:
            raise NotPermitted
        _require_customer(fields, given=request.HasField("customer"))
        return CustomerEdit(
            id=fields.uuid("customer.id", new.id),
            etag=fields.etag("customer.etag", new.etag),
            document=read_document(fields, "customer.document", new.document) if "document" in named else None,
            name=fields.text("customer.name", new.name, length_max=NAME_LENGTH_MAX) if "name" in named else None,
            birth_date=_birth_date(fields, new.birth_date) if "birth_date" in named else None,
            email=_email(fields, new.email) if "email" in named else None,
            phone=_phone(fields, new.phone) if "phone" in named else None,
            active=new.active if "active" in named else None,
        )


def customer_to_proto(customer: Customer, fields: Iterable[str] = READERS) -> customer_pb2.Customer:
    """Answers a customer, or some fields of one."""
    return customer_pb2.Customer(**{field: READERS[field](customer) for field in fields})


def batch_to_proto(answer: BatchAnswer, fields: Collection[str]) -> customer_pb2.BatchGetCustomersResponse:
    """Answers these fields of several customers."""
    response = customer_pb2.BatchGetCustomersResponse(
        customers=[customer_to_proto(customer, fields) for customer in answer.customers]
    )
    if answer.edits is not None:
        response.edited_customers.extend(customer_to_proto(customer, fields) for customer in answer.edits.customers)
        response.next_sync_token = "{}/{}".format(*answer.edits.now)
        response.sync_lost = answer.edits.is_lost
    return response


def _require_customer(fields: Fields, *, given: bool) -> None:
    """Stops at a customer who was left out, instead of finding fault with each field."""
    if not given:
        fields.bad("customer", "is required")
        fields.raise_if_bad()


def read_document(fields: Fields, field: str, value: str) -> str:
    """Reads a CPF in any of its spellings as its 11 digits."""
    try:
        return read_cpf(value)
    except ValueError as error:
        fields.bad(field, str(error))
        return ""


def _birth_date(fields: Fields, value: str) -> date:
    try:
        day = date.fromisoformat(value) if BIRTH_DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None:
        fields.bad("customer.birth_date", "must be a day written as YYYY-MM-DD")
    elif not BIRTH_DATE_MIN <= day <= datetime.now(UTC).date():
        fields.bad("customer.birth_date", f"must be from {BIRTH_DATE_MIN} to today")
    return day or BIRTH_DATE_MIN


def _email(fields: Fields, value: str) -> str:
    field = "customer.email"
    if "\0" in value:
        fields.bad(field, "must not contain NUL")
    elif not EMAIL_LENGTH_MIN <= len(value) <= EMAIL_LENGTH_MAX:
        fields.bad(field, f"must have {EMAIL_LENGTH_MIN} to {EMAIL_LENGTH_MAX} characters")
    elif not EMAIL.fullmatch(value):
        fields.bad(field, "must be two parts with one @ between them, without spaces")
    return value


def _phone(fields: Fields, value: str) -> str:
    digit_count = sum(character in "0123456789" for character in value)
    if not (PHONE.fullmatch(value) and PHONE_DIGITS_MIN <= digit_count <= PHONE_DIGITS_MAX):
        description = (
            f"must be 3 to 32 of digits, spaces and +()-. with {PHONE_DIGITS_MIN} to {PHONE_DIGITS_MAX} digits"
        )
        fields.bad("customer.phone", description)
    return value


def _sync_token(fields: Fields, value: str) -> SyncToken:
    if not value:
        return NOTHING_KEPT
    read = SYNC_TOKEN.fullmatch(value)
    if read is None:
        fields.bad("sync_token", "was not answered by this service")
        return NOTHING_KEPT
    return SyncToken(read[1], int(read[2]))
