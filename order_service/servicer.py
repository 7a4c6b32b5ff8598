"""OrderService at the wire."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from order_service import batch_mapping, mapping, return_mapping, search_mapping
from order_service.anonymizations import OrderAnonymization
from order_service.audit import StockAudit
from order_service.batch import BatchPlacement
from order_service.cancellation import OrderCancellation
from order_service.order_search import OrderSearch
from order_service.placement import Lane
from order_service.repository import OrderRepository
from order_service.search_mapping import PageLimits
from order_service.streams import OrderStream
from order_service.watching import OrderWatching
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from service_runtime.callers import owner
from service_runtime.deadline import Deadline

Context = grpc.aio.ServicerContext[Any, Any]


class OrderServicer(order_pb2_grpc.OrderServiceServicer):
    """Decodes, does, encodes; what is promised stands in the proto."""

    def __init__(
        self,
        *,
        singles: Lane,
        batches: BatchPlacement,
        streams: OrderStream[order_pb2.PlaceOrdersRequest],
        cancellation: OrderCancellation,
        orders: OrderRepository,
        watching: OrderWatching,
        search: OrderSearch,
        audit: StockAudit,
        anonymization: OrderAnonymization,
        page_limits: PageLimits,
        call_timeout_s: float,
    ) -> None:
        self._singles = singles
        self._batches = batches
        self._streams = streams
        self._cancellation = cancellation
        self._orders = orders
        self._watching = watching
        self._search = search
        self._audit = audit
        self._anonymization = anonymization
        self._page_limits = page_limits
        self._call_timeout_s = call_timeout_s

    async def CreateOrder(self, request: order_pb2.CreateOrderRequest, context: Context) -> order_pb2.Order:
        draft = mapping.draft_from_proto(request, owner())
        order = await self._singles.submit(draft, self._deadline(context))
        return mapping.placed_to_proto(order)

    async def BatchCreateOrders(
        self, request: order_pb2.BatchCreateOrdersRequest, context: Context
    ) -> order_pb2.BatchCreateOrdersResponse:
        entries = batch_mapping.drafts_from_proto(request.requests, owner())
        outcomes = await self._batches.place_all(entries, self._deadline(context))
        return batch_mapping.outcomes_to_proto(outcomes)

    async def PlaceOrders(
        self, request_iterator: AsyncIterator[order_pb2.PlaceOrdersRequest], context: Context
    ) -> AsyncIterator[order_pb2.PlaceOrdersResponse]:
        messages = batch_mapping.messages_from_proto(request_iterator, owner())
        async for message, outcomes in self._streams.place(messages):
            yield batch_mapping.message_to_proto(message, outcomes)

    async def GetOrder(self, request: order_pb2.GetOrderRequest, context: Context) -> order_pb2.Order:
        order_id = mapping.order_id_from_proto(request)
        order = await self._orders.require(order_id, owner())
        return mapping.order_to_proto(order)

    async def WatchOrder(
        self, request: order_pb2.WatchOrderRequest, context: Context
    ) -> AsyncIterator[order_pb2.Order]:
        order_id = mapping.order_id_from_proto(request)
        async for order in self._watching.watch(order_id, owner()):
            yield mapping.order_to_proto(order)

    async def ListOrders(self, request: order_pb2.ListOrdersRequest, context: Context) -> order_pb2.ListOrdersResponse:
        page = search_mapping.page_from_proto(request, self._page_limits, owner())
        read = await self._search.page(page)
        return search_mapping.orders_to_proto(request, read)

    async def CancelOrder(self, request: order_pb2.CancelOrderRequest, context: Context) -> order_pb2.Order:
        asked = return_mapping.cancel_from_proto(request, owner())
        order = await self._cancellation.cancel(asked, self._deadline(context))
        return mapping.order_to_proto(order)

    async def AuditStock(
        self, request: order_pb2.AuditStockRequest, context: Context
    ) -> AsyncIterator[order_pb2.DiscAudit]:
        disc_ids = mapping.audit_from_proto(request)
        async for audit in self._audit.audit(disc_ids):
            yield mapping.audit_to_proto(audit)

    async def AnonymizeCustomer(
        self, request: order_pb2.AnonymizeCustomerRequest, context: Context
    ) -> order_pb2.AnonymizeCustomerResponse:
        customer_id = mapping.customer_id_from_proto(request)
        await self._anonymization.anonymize(customer_id, self._deadline(context))
        return order_pb2.AnonymizeCustomerResponse()

    def _deadline(self, context: Context) -> Deadline:
        return Deadline.of_call(context, at_most_s=self._call_timeout_s)
