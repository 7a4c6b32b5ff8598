"""Made-up customers, each with a document and an address of their own, and what the service refused."""

import itertools
import random
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from customer_service.cpf import check_digits
from recordshop.customer.v1.customer_pb2 import CreateCustomerRequest, Customer, UpdateCustomerRequest

# A session's documents begin somewhere else each time and are counted up, so that no two are equal.
_stems = itertools.count(random.randrange(100_000_000, 900_000_000))


def new_document() -> str:
    """A valid CPF that nobody has."""
    stem = str(next(_stems))
    return stem + check_digits(stem)


def new_person(**changes: Any) -> Customer:
    """A customer to be created."""
    content = {
        "document": new_document(),
        "name": "Ana Souza",
        "birth_date": "1984-11-05",
        "email": f"ana.{uuid4().hex}@example.com",
        "phone": "+55 (11) 91234-5678",
    }
    return Customer(**{**content, **changes})


async def created(customers: Any, **changes: Any) -> Customer:
    """A customer who exists."""
    return await customers.CreateCustomer(CreateCustomerRequest(customer=new_person(**changes)))


def update(customer_id: str, *paths: str, **values: Any) -> UpdateCustomerRequest:
    """An edit of the fields that paths name."""
    return UpdateCustomerRequest(customer=Customer(id=customer_id, **values), update_mask=FieldMask(paths=paths))


@dataclass(frozen=True)
class Refusal:
    """An error as its caller reads it."""

    code: grpc.StatusCode
    reason: str
    metadata: Mapping[str, str]
    fields: Sequence[str]
    text: str


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Awaits a call that has to fail."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return _read(error)
    raise AssertionError("the call was answered")


def _read(error: grpc.aio.AioRpcError) -> Refusal:
    status = rpc_status.from_call(error)
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    infos = [detail for detail in status.details if detail.Unpack(info)] if status else []
    assert len(infos) == 1, f"one ErrorInfo, not {len(infos)}: {error}"
    assert info.domain == "recordshop"
    for detail in status.details:
        detail.Unpack(bad_request)
    return Refusal(
        code=error.code(),
        reason=info.reason,
        metadata=dict(info.metadata),
        fields=[violation.field for violation in bad_request.field_violations],
        text=str(status),
    )
