"""The customer service, as the order service sees it: who buys, and whether they may."""

from uuid import UUID

import grpc

from order_service.errors import CustomerNotFound, CustomersUnavailable
from order_service.model import Customer
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from service_runtime.deadline import Deadline
from service_runtime.errors import error_info


class CustomerClient:
    """Asks for customers."""

    def __init__(self, *, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub = customer_pb2_grpc.CustomerServiceStub(channel)
        self._timeout_s = timeout_s

    async def get(self, customer_id: UUID, deadline: Deadline) -> Customer:
        """Answers the customer as of now; raises CustomerNotFound, or CustomersUnavailable if there is no answer."""
        request = customer_pb2.GetCustomerRequest(id=str(customer_id))
        try:
            customer = await self._stub.GetCustomer(request, timeout=deadline.at_most(self._timeout_s))
        except grpc.aio.AioRpcError as error:
            info = error_info(error)
            if info is not None and info.reason == CustomerNotFound.reason:
                raise CustomerNotFound({"customer_id": str(customer_id)}) from error
            raise CustomersUnavailable from error
        return Customer(name=customer.name, masked_document=masked(customer.document), active=customer.active)


def masked(document: str) -> str:
    """Hides the first three and the last two of a document's 11 digits."""
    return f"***.{document[3:6]}.{document[6:9]}-**"
