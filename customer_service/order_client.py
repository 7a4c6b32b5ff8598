"""The order service, as the customer service sees it: who keeps the snapshots of customers."""

from uuid import UUID

import grpc

from customer_service.errors import OrdersUnavailable
from recordshop.order.v1 import order_pb2, order_pb2_grpc


class OrderClient:
    """Asks for snapshots to be emptied."""

    def __init__(self, *, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub = order_pb2_grpc.OrderServiceStub(channel)
        self._timeout_s = timeout_s

    async def anonymize(self, customer_id: UUID) -> None:
        """Returns when no order of the customer holds anything of the person, now or ever after; else raises OrdersUnavailable."""
        request = order_pb2.AnonymizeCustomerRequest(customer_id=str(customer_id))
        try:
            await self._stub.AnonymizeCustomer(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            raise OrdersUnavailable from error
