"""Where the load asks: each call goes into the history before it goes out, and again when it is answered."""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from recordshop.catalog.v1 import stock_pb2
from recordshop.error_details import error_from_rpc
from recordshop.order.v1 import order_pb2
from tests.chaos.history import CANCELLED, CONFIRMED, RETURNED, RETURNED_ALL, Call, History, Op
from tests.chaos.wishes import Lines, Return, Wish

if TYPE_CHECKING:
    from recordshop.catalog.v1.stock_pb2_grpc import StockServiceAsyncStub
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

CALL_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Counter:
    """One replica of the shop, as its customers and its stock room reach it."""

    order: "OrderServiceAsyncStub"
    stock: "StockServiceAsyncStub"


class Desk:
    """Asks the replicas, once a call, and writes all of it down. Whoever is cancelled leaves the call unanswered."""

    def __init__(self, history: History, counters: Sequence[Counter]) -> None:
        self.history = history
        self._counters = counters

    @property
    def replicas(self) -> range:
        """The numbers that a call can be sent to."""
        return range(len(self._counters))

    async def create(self, wish: Wish, replica: int, way: str, timeout_s: float = CALL_TIMEOUT_S) -> Call:
        """CreateOrder."""
        call = self.history.begin_wish(way, wish, replica)
        try:
            order = await self._counters[replica].order.CreateOrder(_request(wish), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return self._failed(call, error)
        return self._answered(call, order)

    async def batch(
        self, wishes: Sequence[Wish], replica: int, way: str, timeout_s: float = CALL_TIMEOUT_S
    ) -> list[Call]:
        """BatchCreateOrders; answers a call for each wish."""
        calls = [self.history.begin_wish(way, wish, replica) for wish in wishes]
        request = order_pb2.BatchCreateOrdersRequest(requests=map(_request, wishes))
        try:
            response = await self._counters[replica].order.BatchCreateOrders(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return [self._failed(call, error) for call in calls]
        return [self._entry(call, result) for call, result in zip(calls, response.results, strict=True)]

    async def stream(
        self, messages: Sequence[Sequence[Wish]], replica: int, way: str, timeout_s: float = CALL_TIMEOUT_S
    ) -> list[Call]:
        """PlaceOrders, all messages at once; answers a call for each wish, some of them unanswered if the stream broke."""
        calls = [self.history.begin_wish(way, wish, replica) for message in messages for wish in message]
        left: dict[str, deque[Call]] = defaultdict(deque)
        for call in calls:
            left[call.subject].append(call)

        async def requests() -> AsyncIterator[order_pb2.PlaceOrdersRequest]:
            for message in messages:
                yield order_pb2.PlaceOrdersRequest(requests=map(_request, message))

        try:
            async for response in self._counters[replica].order.PlaceOrders(requests(), timeout=timeout_s):
                for placed in response.results:
                    subject = Wish(placed.customer_id, placed.request_id, ()).order_id
                    self._entry(left[subject].popleft(), placed.result)
        except grpc.aio.AioRpcError as error:
            for queue in left.values():
                for call in queue:
                    self._failed(call, error)
        return calls

    async def cancel(self, order_id: str, replica: int, way: str, timeout_s: float = CALL_TIMEOUT_S) -> Call:
        """CancelOrder."""
        call = self.history.begin(Op.CANCEL, way, order_id, (), replica)
        request = order_pb2.CancelOrderRequest(order_id=order_id, request_id="cancel")
        try:
            order = await self._counters[replica].order.CancelOrder(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return self._failed(call, error)
        return self._answered(call, order)

    async def take_back(self, returning: Return, replica: int, way: str, timeout_s: float = CALL_TIMEOUT_S) -> Call:
        """CancelOrder for a part, or for what is to be written off."""
        call = self.history.begin_return(way, returning, replica)
        try:
            order = await self._counters[replica].order.CancelOrder(_return_request(returning), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return self._failed(call, error)
        return self._answered(call, order)

    async def get(self, order_id: str, replica: int, way: str, timeout_s: float = CALL_TIMEOUT_S) -> Call:
        """GetOrder."""
        call = self.history.begin(Op.GET, way, order_id, (), replica)
        try:
            order = await self._counters[replica].order.GetOrder(
                order_pb2.GetOrderRequest(id=order_id), timeout=timeout_s
            )
        except grpc.aio.AioRpcError as error:
            return self._failed(call, error)
        return self._answered(call, order)

    async def move(self, movement_id: str, lines: Lines, replica: int, way: str) -> Call:
        """AdjustStock."""
        call = self.history.begin(Op.MOVE, way, movement_id, lines, replica)
        [(disc_id, delta)] = lines
        request = stock_pb2.AdjustStockRequest(disc_id=disc_id, movement_id=movement_id, delta=delta, reason="chaos")
        try:
            movement = await self._counters[replica].stock.AdjustStock(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return self._failed(call, error)
        self.history.end(call, stock_pb2.StockMovementState.Name(movement.state).removeprefix("STOCK_MOVEMENT_STATE_"))
        return call

    def _answered(self, call: Call, order: order_pb2.Order) -> Call:
        """An order as a whole is the answer; a return's call is told what became of the return by it."""
        call.order_id = order.id
        call.sold = tuple((line.disc_id, line.quantity) for line in order.lines)
        call.back = tuple((line.disc_id, line.returned_quantity) for line in order.lines)
        if call.op in {Op.CREATE, Op.GET}:
            call.total_cents = order.total_cents
        status = _status(order.status)
        made = {CONFIRMED: RETURNED, CANCELLED: RETURNED_ALL} if call.op is Op.RETURN else {}
        self.history.end(call, made.get(status, status))
        return call

    def _entry(self, call: Call, result: order_pb2.CreateOrderResult) -> Call:
        if not result.HasField("order"):
            return self._refused(call, result.error.reason or "GRPC_UNKNOWN", dict(result.error.metadata))
        call.order_id = result.order.order_id
        call.total_cents = result.order.total_cents
        self.history.end(call, _status(result.order.status))
        return call

    def _failed(self, call: Call, error: grpc.aio.AioRpcError) -> Call:
        failure = error_from_rpc(error)
        return self._refused(call, failure.reason or f"GRPC_{failure.code.name}", dict(failure.metadata))

    def _refused(self, call: Call, outcome: str, metadata: dict[str, str]) -> Call:
        call.order_id = metadata.get("order_id", "")
        call.figures = metadata.get("left", "")
        self.history.end(call, outcome)
        return call


def _request(wish: Wish) -> order_pb2.CreateOrderRequest:
    lines = [order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in wish.lines]
    return order_pb2.CreateOrderRequest(
        customer_id=wish.customer_id, request_id=wish.request_id, lines=lines, mode=wish.mode
    )


def _return_request(returning: Return) -> order_pb2.CancelOrderRequest:
    lines = [order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in returning.lines]
    disposition = (
        order_pb2.RETURN_DISPOSITION_WRITE_OFF if returning.is_written_off else order_pb2.RETURN_DISPOSITION_RESTOCK
    )
    return order_pb2.CancelOrderRequest(
        order_id=returning.order_id, request_id=returning.request_id, lines=lines, disposition=disposition
    )


def _status(status: order_pb2.OrderStatus.ValueType) -> str:
    return order_pb2.OrderStatus.Name(status).removeprefix("ORDER_STATUS_")
