"""The catalog, as the order service sees it: copies are held, refused or given back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, Protocol
from uuid import UUID

import grpc

from order_service.errors import CatalogUnavailable, ConflictRetriesExhausted, DiscDeleted, DiscNotFound, OutOfStock
from order_service.model import (
    Order,
    OrderDraft,
    OrderLine,
    Refused,
    RejectionReason,
    Released,
    Reserved,
    Reused,
    SoldLine,
    StockAnswer,
)
from order_service.rows import new_lines
from recordshop.catalog.v1 import stock_pb2, stock_pb2_grpc
from service_runtime.deadline import Deadline
from service_runtime.errors import Internal, ServiceError, error_info
from service_runtime.quantities import LINES_KEPT_MAX
from service_runtime.uuids import uuid_from_trusted

LEDGER_PAGE_SIZE = 1_000
BALANCE_PAGE_SIZE = 100
PAGE_TIMEOUT_S = 60.0
RELEASED_REASON = "RESERVATION_RELEASED"
REUSED_REASON = "REQUEST_ID_REUSED"
DISCS_DIFFER_REASON = "RESERVATION_DISCS_DIFFER"
RESERVATION_NOT_FOUND = "RESERVATION_NOT_FOUND"
NO_ANSWER_CODES = frozenset(code.value[0] for code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED))
REFUSALS = {error.reason: RejectionReason(error.reason) for error in (OutOfStock, DiscNotFound, DiscDeleted)}


@dataclass(frozen=True)
class HeldLine:
    """One row of the catalog's ledger."""

    disc_id: UUID
    order_id: UUID
    is_reserved: bool
    quantity: int
    price_cents: int
    returned: int = 0


@dataclass(frozen=True)
class StockBalance:
    """Where a disc's copies are, as of one moment."""

    disc_id: UUID
    opening: int
    moved: int
    left: int
    held: int


class Catalog(Protocol):
    """The catalog, asked directly or behind a circuit breaker; each question raises CatalogUnavailable if there is no answer."""

    async def reserve_stock(self, orders: Sequence[Order], deadline: Deadline) -> list[StockAnswer | ServiceError]:
        """Answers what was decided for each order, in their order, or the error that left it undecided."""

    async def deny_sold_out(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[int | None]:
        """Answers how many copies were left for each order that was denied, in their order; None where it was not."""

    async def release_stock(self, order: Order, deadline: Deadline) -> None:
        """Gives an order's copies back; an order that holds none gets none from now on."""


class CatalogClient:
    """Asks for copies. An answer, refusals too, is a value; CatalogUnavailable means that there was none.

    With in_order, the orders of one question that are for one disc are decided in their order, or not at all.
    """

    def __init__(self, *, channel: grpc.aio.Channel, timeout_s: float, in_order: bool = False) -> None:
        self._stub = stock_pb2_grpc.StockServiceStub(channel)
        self._timeout_s = timeout_s
        self._in_order = in_order

    async def reserve_stock(self, orders: Sequence[Order], deadline: Deadline) -> list[StockAnswer | ServiceError]:
        """Asks for the copies of orders, or for what was decided about them before; answers in the order of the orders.

        An order without a decision answers its error; raises CatalogUnavailable if there is no answer at all.
        """
        request = stock_pb2.BatchReserveStockRequest(in_order=self._in_order)
        for order in orders:
            request.requests.add(reservation_id=str(order.id), lines=_stock_lines(order.lines))
        try:
            response = await self._stub.BatchReserveStock(request, timeout=deadline.at_most(self._timeout_s))
        except grpc.aio.AioRpcError as error:
            _raise_no_answer(error)
        if len(response.results) != len(orders):
            raise CatalogUnavailable
        return [_stock_answer(order, result) for order, result in zip(orders, response.results, strict=True)]

    async def deny_sold_out(self, drafts: Sequence[OrderDraft], deadline: Deadline) -> list[int | None]:
        """Has orders of one disc denied if too few copies are left: answers how many were left for each that was, in their order.

        None where it was not: nothing is known of that one then. Raises CatalogUnavailable if there is no answer.
        """
        request = stock_pb2.DenySoldOutRequest()
        for draft in drafts:
            request.requests.add(reservation_id=str(draft.order_id), lines=_stock_lines(new_lines(draft.lines)))
        try:
            response = await self._stub.DenySoldOut(request, timeout=deadline.at_most(self._timeout_s))
        except grpc.aio.AioRpcError as error:
            _raise_no_answer(error)
        if len(response.results) != len(drafts):
            raise CatalogUnavailable
        return [result.stock_left if result.HasField("stock_left") else None for result in response.results]

    async def release_stock(self, order: Order, deadline: Deadline) -> None:
        """Gives an order's copies back; an order that holds none gets none from now on."""
        if not await self._release(order.id, order.disc_ids, deadline):
            # Other lines of its id were denied ahead of it, on one of its discs: it holds nothing on any, and each is marked by itself.
            for disc_id in order.disc_ids:
                await self._release(order.id, [disc_id], deadline)

    async def _release(self, order_id: UUID, disc_ids: Sequence[UUID], deadline: Deadline) -> bool:
        """Answers False, with nothing changed, if the id stands for other discs that share one with these."""
        request = stock_pb2.ReleaseStockRequest(
            reservation_id=str(order_id), disc_ids=[str(disc_id) for disc_id in disc_ids]
        )
        try:
            await self._stub.ReleaseStock(request, timeout=deadline.at_most(self._timeout_s))
        except grpc.aio.AioRpcError as error:
            info = error_info(error)
            if info is not None and info.reason == DISCS_DIFFER_REASON:
                return False
            _raise_no_answer(error)
        return True

    async def ledger_line(self, order_id: UUID, disc_id: UUID) -> HeldLine | None:
        """Reads what the ledger says of an order's line now; None if it never heard of it."""
        request = stock_pb2.GetReservationRequest(reservation_id=str(order_id), disc_ids=[str(disc_id)])
        try:
            reservation = await self._stub.GetReservation(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            info = error_info(error)
            if info is not None and info.reason == RESERVATION_NOT_FOUND:
                return None
            _raise_no_answer(error)
        return _held_line(order_id, reservation.state, reservation.lines[0])

    async def ledger(self, disc_id: UUID | None) -> AsyncIterator[HeldLine]:
        """Walks over the ledger of one disc, or of all, in the order of disc id and order id."""
        request = stock_pb2.ListReservationsRequest(page_size=LEDGER_PAGE_SIZE, disc_id=str(disc_id or ""))
        async for page in self._pages(self._stub.ListReservations, request):
            for entry in page.entries:
                yield _held_line(uuid_from_trusted(entry.reservation_id), entry.state, entry.line)

    async def balances(self, disc_ids: Sequence[UUID]) -> AsyncIterator[StockBalance]:
        """Walks over the balances of these discs or, if none is named, of all, in the order of their ids."""
        request = stock_pb2.ListStockBalancesRequest(
            page_size=BALANCE_PAGE_SIZE, disc_ids=[str(disc_id) for disc_id in disc_ids]
        )
        async for page in self._pages(self._stub.ListStockBalances, request):
            for balance in page.balances:
                yield StockBalance(
                    uuid_from_trusted(balance.disc_id), balance.opening, balance.moved, balance.left, balance.held
                )

    async def _pages(self, method: Callable[..., Awaitable[Any]], request: Any) -> AsyncIterator[Any]:
        while True:
            try:
                page = await method(request, timeout=PAGE_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                _raise_no_answer(error)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


@lru_cache(maxsize=LINES_KEPT_MAX)
def _stock_lines(lines: tuple[OrderLine, ...]) -> Sequence[stock_pb2.StockLine]:
    """The lines as the catalog reads them; a message that takes them makes its own copies."""
    return tuple([stock_pb2.StockLine(disc_id=str(line.disc_id), quantity=line.quantity) for line in lines])


def _stock_answer(order: Order, result: stock_pb2.ReserveStockResult) -> StockAnswer | ServiceError:
    if result.HasField("held"):
        return Reserved(lines=tuple([SoldLine(line.name, line.artist, line.price_cents) for line in result.held.lines]))
    refusal = result.error
    if refusal.reason == RELEASED_REASON:
        return Released()
    if refusal.reason == REUSED_REASON:
        return Reused()
    if refusal.reason == ConflictRetriesExhausted.reason:
        return ConflictRetriesExhausted({"order_id": str(order.id)})
    if refusal.reason not in REFUSALS:
        return CatalogUnavailable() if refusal.code in NO_ANSWER_CODES else Internal()
    disc_ids = [uuid_from_trusted(disc_id) for disc_id in refusal.metadata["disc_id"].split(",")]
    left = [int(stock) for stock in refusal.metadata["left"].split(",") if stock]
    return Refused(
        reason=REFUSALS[refusal.reason], disc_ids=disc_ids, stock_left=dict(zip(disc_ids, left, strict=False))
    )


def _held_line(order_id: UUID, state: int, line: stock_pb2.ReservationLine) -> HeldLine:
    return HeldLine(
        disc_id=uuid_from_trusted(line.disc_id),
        order_id=order_id,
        is_reserved=state == stock_pb2.RESERVATION_STATE_RESERVED,
        quantity=line.quantity,
        price_cents=line.price_cents,
        returned=line.returned_quantity,
    )


def _raise_no_answer(error: grpc.aio.AioRpcError) -> NoReturn:
    info = error_info(error)
    if info is None or error.code().value[0] in NO_ANSWER_CODES:
        raise CatalogUnavailable from error
    raise Internal from error
