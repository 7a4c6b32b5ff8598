"""Made-up customers, each with a document and an address of their own."""

import itertools
import random
from typing import Any
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from customer_service.cpf import check_digits
from customer_service.documents import KEY_FOR_TRYING_OUT, Documents
from recordshop.customer.v1.customer_pb2 import CreateCustomerRequest, Customer, UpdateCustomerRequest

# A session's documents begin somewhere else each time and are counted up, so that no two are equal.
_stems = itertools.count(random.randrange(100_000_000, 900_000_000))


def documents(*secrets: bytes) -> Documents:
    """Documents by these keys, or by the one for trying out, of a database in which nothing waits to be sealed."""
    return Documents(secrets or [KEY_FOR_TRYING_OUT], is_ready=True)


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
