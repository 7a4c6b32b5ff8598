"""A small asyncio client of Record Shop that cannot buy twice.

    async with RecordShop(order="127.0.0.1:50053") as shop:
        order = await shop.create_order(customer_id, {disc_id: 2})

The methods of `RecordShop` repeat their call where that is safe, within their deadline, and raise a `ShopError`.
Everything else goes through the typed stubs (`shop.orders`, `shop.discs`, `shop.stock`, `shop.customers`): plain gRPC
calls, never repeated, to be given a `timeout=`; `error_from_rpc` makes a ShopError of what they raise.

In a program that traces by OpenTelemetry, the methods tell the services of the current span.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from recordshop import outcome
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc, stock_pb2, stock_pb2_grpc
from recordshop.channels import Tls, TokenSource, open_channel
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from recordshop.error_details import error_from_rpc
from recordshop.errors import (
    CustomerExists,
    CustomerInactive,
    CustomerNotFound,
    DeadlineExceeded,
    DiscDeleted,
    DiscExists,
    DiscNotFound,
    DocumentTaken,
    InvalidArgument,
    NotAccepted,
    OrderNotCancellable,
    OrderNotDecided,
    OrderNotFound,
    OrderUndecided,
    OutcomeUnknown,
    OutOfStock,
    Overloaded,
    RequestIdReused,
    ReturnExceedsSale,
    RevisionAhead,
    RevisionTooOld,
    ShopError,
)
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from recordshop.paging import walk
from recordshop.retry import DEFAULT_RETRY, RetryPolicy, call
from recordshop.watching import follow

if TYPE_CHECKING:
    from recordshop.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub
    from recordshop.catalog.v1.stock_pb2_grpc import StockServiceAsyncStub
    from recordshop.customer.v1.customer_pb2_grpc import CustomerServiceAsyncStub
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

# The errors that the methods below name; all of them are in recordshop.errors.
__all__ = [
    "CustomerExists",
    "CustomerInactive",
    "CustomerNotFound",
    "DeadlineExceeded",
    "DiscDeleted",
    "DiscExists",
    "DiscNotFound",
    "DocumentTaken",
    "InvalidArgument",
    "NotAccepted",
    "OrderNotCancellable",
    "OrderNotDecided",
    "OrderNotFound",
    "OrderUndecided",
    "OutOfStock",
    "OutcomeUnknown",
    "Overloaded",
    "RecordShop",
    "RequestIdReused",
    "RetryPolicy",
    "ReturnExceedsSale",
    "RevisionAhead",
    "RevisionTooOld",
    "ShopError",
    "Tls",
    "error_from_rpc",
]

Request = TypeVar("Request")
Response = TypeVar("Response")

CALL_TIMEOUT_S = 5.0
WATCH_TIMEOUT_S = 60.0

Lines = Mapping[str, int] | Iterable[order_pb2.OrderLineRequest]


class RecordShop:
    """The shop's three services at their addresses (`host:port`); only those that are called need one.

    With `tls` the services are called by TLS, and with `token` as the caller that it names: a token, or what answers the one of now.

    Leave the `async with` after the last call: what is still under way then is cancelled.
    """

    def __init__(
        self,
        *,
        catalog: str | None = None,
        customer: str | None = None,
        order: str | None = None,
        retry: RetryPolicy = DEFAULT_RETRY,
        tls: Tls | None = None,
        token: str | TokenSource | None = None,
    ) -> None:
        self._tls = tls
        self._token = token
        self._addresses = {"catalog": catalog, "customer": customer, "order": order}
        self._retry = retry
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for service, address in self._addresses.items():
            if address is not None:
                channel = open_channel(address, tls=self._tls, token=self._token)
                self._channels[service] = await self._open.enter_async_context(channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    @cached_property
    def orders(self) -> "OrderServiceAsyncStub":
        """The plain stub of OrderService."""
        return order_pb2_grpc.OrderServiceStub(self._channel("order"))

    @cached_property
    def discs(self) -> "CatalogServiceAsyncStub":
        """The plain stub of CatalogService."""
        return catalog_pb2_grpc.CatalogServiceStub(self._channel("catalog"))

    @cached_property
    def stock(self) -> "StockServiceAsyncStub":
        """The plain stub of StockService."""
        return stock_pb2_grpc.StockServiceStub(self._channel("catalog"))

    @cached_property
    def customers(self) -> "CustomerServiceAsyncStub":
        """The plain stub of CustomerService."""
        return customer_pb2_grpc.CustomerServiceStub(self._channel("customer"))

    async def create_order(
        self,
        customer_id: str,
        lines: Lines,
        *,
        request_id: str | None = None,
        mode: order_pb2.OrderMode.ValueType = order_pb2.ORDER_MODE_UNSPECIFIED,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> order_pb2.Order:
        """Buys copies of discs, all lines or none, at most once: answers the order as the service does.

        `lines` maps disc ids to quantities, or holds OrderLineRequests. All attempts carry one request_id, which is
        made here unless it is given: give one that you keep where the order must not be bought twice even if your
        process dies, or if you cancel this call.

        With the mode ASYNC, or HYBRID, the order may be PENDING: follow it with `watch_order`, which answers a refused one as REJECTED.

        Raises OutOfStock, DiscNotFound, DiscDeleted, CustomerNotFound, CustomerInactive, RequestIdReused or
        InvalidArgument if the order was refused; NotAccepted or Overloaded if the time or the attempts were used up
        and nothing was taken in; OrderUndecided, with the request_id to ask again with, if that is not known.
        """
        if request_id is None:
            request_id = _new_id()
        request = order_pb2.CreateOrderRequest(
            customer_id=customer_id, lines=_line_requests(lines), request_id=request_id, mode=mode
        )
        conclude = partial(outcome.of_create_order, request_id=request_id)
        return await self._call(self.orders.CreateOrder, request, timeout_s, conclude)

    async def cancel_order(
        self,
        order_id: str,
        lines: Lines | None = None,
        *,
        disposition: order_pb2.ReturnDisposition.ValueType = order_pb2.RETURN_DISPOSITION_RESTOCK,
        request_id: str | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> order_pb2.Order:
        """Cancels an order, or returns the copies that `lines` ask for, once however often it is asked: answers it as it is then.

        `lines` are given as in create_order; without them all that is left comes back. Another call returns more: give a
        request_id that you keep where a part must not be returned twice even if your process dies, or if you cancel this
        call. Copies go back onto the shelf, or are written off by the disposition WRITE_OFF.

        Raises OrderNotFound, OrderNotCancellable, OrderNotDecided, ReturnExceedsSale, RequestIdReused or
        InvalidArgument; OrderUndecided if the outcome is not known when the time or the attempts are used up.
        """
        if request_id is None:
            request_id = _new_id()
        asked = [] if lines is None else list(_line_requests(lines))
        if lines is not None and not asked:
            raise ValueError("no lines would cancel the whole order: leave them out if that is meant")
        request = order_pb2.CancelOrderRequest(
            order_id=order_id, request_id=request_id, lines=asked, disposition=disposition
        )
        conclude = partial(outcome.of_cancel_order, request_id=request_id, order_id=order_id)
        return await self._call(self.orders.CancelOrder, request, timeout_s, conclude)

    async def get_order(self, order_id: str, *, timeout_s: float = CALL_TIMEOUT_S) -> order_pb2.Order:
        """Answers an order as it is now; a refused one is no error here. Raises OrderNotFound."""
        return await self._reader(self.orders.GetOrder, timeout_s)(order_pb2.GetOrderRequest(id=order_id))

    async def watch_order(self, order_id: str, *, timeout_s: float = WATCH_TIMEOUT_S) -> AsyncIterator[order_pb2.Order]:
        """Follows an order until it is final, which is CONFIRMED, REJECTED or CANCELLED: as it is now, then at each change of its status.

        Goes on by itself where a connection or a process of the service is lost. Raises OrderNotFound; DeadlineExceeded if
        the time is up before, or why it could not go on if the attempts are used up.
        """
        request = order_pb2.WatchOrderRequest(id=order_id)
        status = None
        async for order in follow(self.orders.WatchOrder, lambda: request, timeout_s=timeout_s, policy=self._retry):
            if order.status != status:
                status = order.status
                yield order

    async def watch_stock(
        self, disc_ids: Iterable[str], *, since: Mapping[str, int] | None = None, timeout_s: float = WATCH_TIMEOUT_S
    ) -> AsyncIterator[stock_pb2.StockChange]:
        """Follows the stock of discs for timeout_s seconds: each disc as it is now, then every change of it, once and in order.

        `since` has, by disc id, revisions to go on from instead. Goes on by itself where a connection or a process of the
        service is lost, from the last revision of each disc. Raises DiscNotFound, InvalidArgument, RevisionTooOld if the
        caller, or the way to the service, was slower than changes are kept, RevisionAhead; and why it could not go on if the
        attempts are used up.
        """
        revisions: dict[str, int | None] = {**dict.fromkeys(disc_ids), **(since or {})}

        def request() -> stock_pb2.WatchStockRequest:
            return stock_pb2.WatchStockRequest(
                discs=[
                    stock_pb2.WatchedDisc(disc_id=disc_id, revision=revision) for disc_id, revision in revisions.items()
                ]
            )

        try:
            async for message in follow(self.stock.WatchStock, request, timeout_s=timeout_s, policy=self._retry):
                for change in message.changes:
                    revisions[change.disc_id] = change.revision
                    yield change
        except DeadlineExceeded:
            return

    async def list_orders(
        self, request: order_pb2.ListOrdersRequest | None = None, *, page_timeout_s: float = CALL_TIMEOUT_S
    ) -> AsyncIterator[order_pb2.Order]:
        """Walks all orders that match the request's filters, newest first; each page may take page_timeout_s."""
        fetch = self._reader(self.orders.ListOrders, page_timeout_s)
        async for page in walk(fetch, request or order_pb2.ListOrdersRequest()):
            for order in page.orders:
                yield order

    async def list_discs(
        self, request: catalog_pb2.ListDiscsRequest | None = None, *, page_timeout_s: float = CALL_TIMEOUT_S
    ) -> AsyncIterator[catalog_pb2.Disc]:
        """Walks all discs that match the request's filters, by their ids; each page may take page_timeout_s."""
        fetch = self._reader(self.discs.ListDiscs, page_timeout_s)
        async for page in walk(fetch, request or catalog_pb2.ListDiscsRequest()):
            for disc in page.discs:
                yield disc

    async def create_disc(
        self,
        disc: catalog_pb2.Disc,
        *,
        opening_stock: int = 0,
        disc_id: str | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> catalog_pb2.Disc:
        """Adds one disc with its opening stock, once: under disc_id, or an id that is made here (`disc.id` is ignored).

        Raises InvalidArgument, DiscExists, or OutcomeUnknown with the disc_id to call again with.
        """
        if disc_id is None:
            disc_id = _new_id()
        request = catalog_pb2.CreateDiscRequest(disc=disc, disc_id=disc_id, opening_stock=opening_stock)
        conclude = partial(outcome.of_create, repeat_id=disc_id)
        return await self._call(self.discs.CreateDisc, request, timeout_s, conclude)

    async def create_customer(
        self, customer: customer_pb2.Customer, *, customer_id: str | None = None, timeout_s: float = CALL_TIMEOUT_S
    ) -> customer_pb2.Customer:
        """Adds one customer, once: under customer_id, or an id that is made here (`customer.id` is ignored).

        Raises InvalidArgument, DocumentTaken, CustomerExists, or OutcomeUnknown with the customer_id to call again with.
        """
        if customer_id is None:
            customer_id = _new_id()
        request = customer_pb2.CreateCustomerRequest(customer=customer, customer_id=customer_id)
        conclude = partial(outcome.of_create, repeat_id=customer_id)
        return await self._call(self.customers.CreateCustomer, request, timeout_s, conclude)

    def _channel(self, service: str) -> grpc.aio.Channel:
        if self._addresses[service] is None:
            raise RuntimeError(f'the address of the {service} service is missing: RecordShop({service}="host:port")')
        if service not in self._channels:
            raise RuntimeError("the shop is not open: async with RecordShop(...) as shop")
        return self._channels[service]

    async def _call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]",
        request: Request,
        timeout_s: float,
        conclude: Callable[[Sequence[ShopError]], ShopError],
    ) -> Response:
        return await call(method, request, timeout_s=timeout_s, policy=self._retry, conclude=conclude)

    def _reader(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", timeout_s: float
    ) -> Callable[[Request], Awaitable[Response]]:
        return lambda request: self._call(method, request, timeout_s, outcome.of_read)


def _line_requests(lines: Lines) -> Iterable[order_pb2.OrderLineRequest]:
    if isinstance(lines, Mapping):
        return [order_pb2.OrderLineRequest(disc_id=disc_id, quantity=quantity) for disc_id, quantity in lines.items()]
    return lines


def _new_id() -> str:
    return str(uuid.uuid4())
