"""The customer service, as the order service sees it: who buys, and whether they may."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import grpc
from google.protobuf import field_mask_pb2

from order_service.errors import CustomerNotFound, CustomersUnavailable
from order_service.known_customers import KnownCustomers
from order_service.model import Customer
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from service_runtime.errors import ServiceError
from service_runtime.uuids import uuid_from_trusted

# Nothing else of a person's data comes here.
READ_MASK = field_mask_pb2.FieldMask(paths=["id", "name", "masked_document", "active"])


class CustomerClient:
    """Asks for customers; of those who are known already, it asks only who was edited since."""

    def __init__(self, *, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub = customer_pb2_grpc.CustomerServiceStub(channel)
        self._timeout_s = timeout_s
        self._known = KnownCustomers()

    async def get(self, customer_ids: Sequence[UUID]) -> list[Customer | ServiceError]:
        """Answers each customer as of now, in their order: an unknown one as CustomerNotFound, without an answer CustomersUnavailable."""
        wanted = dict.fromkeys(customer_ids)
        try:
            customers = await self._ask(wanted)
            if customers is None:
                # Nobody is known any more, so that everybody is asked for.
                customers = await self._ask(wanted)
        except grpc.aio.AioRpcError:
            customers = None
        if customers is None:
            return [CustomersUnavailable()] * len(customer_ids)
        return [
            customers.get(customer_id) or CustomerNotFound({"customer_id": str(customer_id)})
            for customer_id in customer_ids
        ]

    async def _ask(self, customer_ids: Iterable[UUID]) -> dict[UUID, Customer] | None:
        """Answers those of these customers that there are; None if what was known turned out to be worth nothing."""
        known, sync_token = self._known.of(customer_ids), self._known.sync_token
        request = customer_pb2.BatchGetCustomersRequest(
            ids=[str(customer_id) for customer_id in customer_ids if customer_id not in known],
            skip_missing=True,
            read_mask=READ_MASK,
            sync_token=sync_token,
        )
        response = await self._stub.BatchGetCustomers(request, timeout=self._timeout_s)
        if response.sync_lost and sync_token:
            self._known.forget(sync_token)
            return None
        found, edited = _customers(response.customers), _customers(response.edited_customers)
        self._known.learn(sync_token, response.next_sync_token, edited=edited, found=found)
        # Whoever was edited while they were read is in both, and was found as they are now.
        return known | edited | found


def _customers(customers: Iterable[customer_pb2.Customer]) -> dict[UUID, Customer]:
    return {
        uuid_from_trusted(customer.id): Customer(
            name=customer.name, masked_document=customer.masked_document, active=customer.active
        )
        for customer in customers
    }
