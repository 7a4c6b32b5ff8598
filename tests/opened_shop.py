"""A running shop as tests use it: typed stubs, and discs and customers made on the way."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from local_shop.shop import LocalShop
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc, stock_pb2_grpc
from recordshop.channels import Tls, open_channel
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from recordshop.order.v1 import order_pb2_grpc

if TYPE_CHECKING:
    from recordshop.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub
    from recordshop.catalog.v1.stock_pb2_grpc import StockServiceAsyncStub
    from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceAsyncStub
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

CALL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class OpenedShop:
    """The stubs of one shop, and `local`, its processes and addresses. Calls want a `timeout=`."""

    local: LocalShop
    catalog: "CatalogServiceAsyncStub"
    stock: "StockServiceAsyncStub"
    customer: "CustomerServiceAsyncStub"
    order: "OrderServiceAsyncStub"

    async def make_disc(
        self, *, stock: int = 100, price_cents: int = 2_500, disc_id: str = "", **fields: object
    ) -> catalog_pb2.Disc:
        """Create a disc that no other test knows; under an id of its own unless one is given."""
        described = {"name": f"Disc {uuid4()}", "artist": "The Testers", "year_of_release": 1999, "genre": "Rock"}
        disc = catalog_pb2.Disc(**{**described, "price_cents": price_cents, **fields})  # type: ignore[arg-type]
        request = catalog_pb2.CreateDiscRequest(disc=disc, disc_id=disc_id, opening_stock=stock)
        return await self.catalog.CreateDisc(request, timeout=CALL_TIMEOUT_S)

    async def make_customer(self, *, customer_id: str = "", **fields: object) -> customer_pb2.Customer:
        """Create an active customer whom no other test knows; under an id of its own unless one is given."""
        described = {
            "document": random_cpf(),
            "name": "Ada Tester",
            "birth_date": "1990-12-31",
            "email": f"{uuid4()}@example.com",
            "phone": "+55 11 91234-5678",
            "active": True,
        }
        customer = customer_pb2.Customer(**{**described, **fields})  # type: ignore[arg-type]
        request = customer_pb2.CreateCustomerRequest(customer=customer, customer_id=customer_id)
        return await self.customer.CreateCustomer(request, timeout=CALL_TIMEOUT_S)


@asynccontextmanager
async def opened(local: LocalShop, *, tls: Tls | None = None, token: str | None = None) -> AsyncIterator[OpenedShop]:
    """Open channels to a running shop, which may be a locked one."""
    async with AsyncExitStack() as stack:
        addresses = (local.catalog_addr, local.customer_addr, local.order_addr)
        channels = [open_channel(address, tls=tls, token=token) for address in addresses]
        catalog, customer, order = [await stack.enter_async_context(channel) for channel in channels]
        yield OpenedShop(
            local=local,
            catalog=catalog_pb2_grpc.CatalogServiceStub(catalog),
            stock=stock_pb2_grpc.StockServiceStub(catalog),
            customer=customer_pb2_grpc.CustomerServiceStub(customer),
            order=order_pb2_grpc.OrderServiceStub(order),
        )


def random_cpf() -> str:
    """Return a CPF of 11 digits with right check digits."""
    digits = [random.randrange(10) for _ in range(8)]
    # The ninth differs from the first, so that they are never all equal.
    digits.append((digits[0] + 1) % 10)
    for _ in range(2):
        weights = range(len(digits) + 1, 1, -1)
        rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) * 10 % 11
        digits.append(rest % 10)
    return "".join(map(str, digits))
