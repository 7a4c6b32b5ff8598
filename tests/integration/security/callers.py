"""Callers of a locked shop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from local_shop.certs import make_token
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2
from tests.integration.security.conftest import LockedShop
from tests.opened_shop import random_cpf

CALL_TIMEOUT_S = 10.0


@asynccontextmanager
async def shop_of(locked: LockedShop, role: str, subject: str) -> AsyncIterator[RecordShop]:
    """The shop, as a caller in this role meets it."""
    local = locked.local
    addresses = {"catalog": local.catalog_addr, "customer": local.customer_addr, "order": local.order_addr}
    token = make_token(locked.certs, role=role, subject=subject)
    async with RecordShop(**addresses, tls=locked.tls, token=token) as shop:
        yield shop


def person(name: str) -> customer_pb2.Customer:
    """A customer whom no other test knows."""
    return customer_pb2.Customer(
        document=random_cpf(),
        name=name,
        birth_date="1990-12-31",
        email=f"{uuid4()}@example.com",
        phone="+55 11 91234-5678",
    )
