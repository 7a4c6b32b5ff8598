"""The customer service, as the order service sees it: who buys, and whether they may."""

from collections.abc import Sequence
from uuid import UUID

import grpc
from google.protobuf import field_mask_pb2

from order_service.errors import CustomerNotFound, CustomersUnavailable
from order_service.model import Customer
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from service_runtime.errors import ServiceError
from service_runtime.uuids import uuid_from_trusted

# Nothing else of a person's data comes here.
READ_MASK = field_mask_pb2.FieldMask(paths=["id", "name", "document", "active"])


class CustomerClient:
    """Asks for customers."""

    def __init__(self, *, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub = customer_pb2_grpc.CustomerServiceStub(channel)
        self._timeout_s = timeout_s

    async def get(self, customer_ids: Sequence[UUID]) -> list[Customer | ServiceError]:
        """Answers each customer as of now, in their order: an unknown one as CustomerNotFound, without an answer CustomersUnavailable."""
        request = customer_pb2.BatchGetCustomersRequest(
            ids=map(str, dict.fromkeys(customer_ids)), skip_missing=True, read_mask=READ_MASK
        )
        try:
            response = await self._stub.BatchGetCustomers(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError:
            return [CustomersUnavailable()] * len(customer_ids)
        known = {uuid_from_trusted(customer.id): _customer(customer) for customer in response.customers}
        return [
            known.get(customer_id) or CustomerNotFound({"customer_id": str(customer_id)})
            for customer_id in customer_ids
        ]


def _customer(customer: customer_pb2.Customer) -> Customer:
    return Customer(name=customer.name, masked_document=masked(customer.document), active=customer.active)


def masked(document: str) -> str:
    """Hides the first three and the last two of a document's 11 digits."""
    return f"***.{document[3:6]}.{document[6:9]}-**"
