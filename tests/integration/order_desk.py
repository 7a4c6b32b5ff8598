"""OrderService in a test's words: short calls, each with a deadline."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from order_service.model import order_id_for
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.integration.stock_room import new_id

CALL_TIMEOUT_S = 30.0

PENDING = order_pb2.ORDER_STATUS_PENDING
CONFIRMED = order_pb2.ORDER_STATUS_CONFIRMED
REJECTED = order_pb2.ORDER_STATUS_REJECTED
CANCELLED = order_pb2.ORDER_STATUS_CANCELLED
SYNC = order_pb2.ORDER_MODE_SYNC
ASYNC = order_pb2.ORDER_MODE_ASYNC
RESTOCK = order_pb2.RETURN_DISPOSITION_RESTOCK
WRITE_OFF = order_pb2.RETURN_DISPOSITION_WRITE_OFF
AGREES = order_pb2.AUDIT_VERDICT_AGREES
DISAGREES = order_pb2.AUDIT_VERDICT_DISAGREES
OPEN = order_pb2.AUDIT_VERDICT_OPEN

Lines = Mapping[str, int] | Iterable[tuple[str, int]]


def order_request(
    customer_id: str, lines: Lines, request_id: str | None = None, mode: order_pb2.OrderMode.ValueType = SYNC
) -> order_pb2.CreateOrderRequest:
    """Ask for discs: a mapping of disc to quantity, or pairs where one disc stands on several lines."""
    pairs = lines.items() if isinstance(lines, Mapping) else lines
    return order_pb2.CreateOrderRequest(
        customer_id=customer_id,
        lines=[order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in pairs],
        request_id=new_id() if request_id is None else request_id,
        mode=mode,
    )


def order_id(customer_id: str, request_id: str) -> str:
    """Return the id of the order that this request makes, or would make."""
    return str(order_id_for(UUID(customer_id), request_id))


class OrderDesk:
    """Places, reads, cancels and audits orders."""

    def __init__(self, stub: "order_pb2_grpc.OrderServiceAsyncStub") -> None:
        self.stub = stub

    async def create(self, customer_id: str, lines: Lines, request_id: str | None = None) -> order_pb2.Order:
        """Place an order; with a new request_id unless one is given."""
        return await self.stub.CreateOrder(order_request(customer_id, lines, request_id), timeout=CALL_TIMEOUT_S)

    async def batch(self, requests: Iterable[order_pb2.CreateOrderRequest]) -> list[order_pb2.CreateOrderResult]:
        """Place several orders."""
        request = order_pb2.BatchCreateOrdersRequest(requests=requests)
        return list((await self.stub.BatchCreateOrders(request, timeout=CALL_TIMEOUT_S)).results)

    async def get(self, order_id: str) -> order_pb2.Order:
        """Read an order."""
        return await self.stub.GetOrder(order_pb2.GetOrderRequest(id=order_id), timeout=CALL_TIMEOUT_S)

    async def at_its_end(self, order_id: str) -> order_pb2.Order:
        """Follow an order until it is final."""
        call = self.stub.WatchOrder(order_pb2.WatchOrderRequest(id=order_id), timeout=CALL_TIMEOUT_S)
        return [order async for order in call][-1]

    async def page(self, **request: Any) -> order_pb2.ListOrdersResponse:
        """Read a page of orders."""
        return await self.stub.ListOrders(order_pb2.ListOrdersRequest(**request), timeout=CALL_TIMEOUT_S)

    async def cancel(
        self, order_id: str, request_id: str | None = None, lines: Lines | None = None, disposition: Any = 0
    ) -> order_pb2.Order:
        """Cancel an order, or return some of its copies; with a new request_id unless one is given."""
        pairs = lines.items() if isinstance(lines, Mapping) else lines or ()
        request = order_pb2.CancelOrderRequest(
            order_id=order_id,
            request_id=new_id() if request_id is None else request_id,
            lines=[order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in pairs],
            disposition=disposition,
        )
        return await self.stub.CancelOrder(request, timeout=CALL_TIMEOUT_S)

    async def audit(self, *disc_ids: str) -> list[order_pb2.DiscAudit]:
        """Audit discs, or all of them."""
        call = self.stub.AuditStock(order_pb2.AuditStockRequest(disc_ids=disc_ids), timeout=CALL_TIMEOUT_S)
        return [audit async for audit in call]

    async def agrees(self, *disc_ids: str) -> None:
        """Hold that orders, ledger and stock of quiet discs agree."""
        for audit in await self.audit(*disc_ids):
            assert audit.verdict == AGREES, audit
            assert audit.opening + audit.moved == audit.left + audit.held, audit
            assert (audit.held, audit.open, list(audit.wrong_order_ids)) == (audit.sold, 0, []), audit
