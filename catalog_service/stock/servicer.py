"""StockService at the wire."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from catalog_service.model import PageSizes
from catalog_service.stock import listing_mapping, mapping, returns_mapping, watch_mapping
from catalog_service.stock.denials import DenialLedger
from catalog_service.stock.listing import StockListing
from catalog_service.stock.movements import MovementLedger
from catalog_service.stock.reservations import ReservationLedger
from catalog_service.stock.returns import ReturnLedger
from catalog_service.stock.taking import StockTaking
from catalog_service.stock.watching import StockWatching
from recordshop.catalog.v1 import stock_pb2, stock_pb2_grpc
from service_runtime.deadline import Deadline

Context = grpc.aio.ServicerContext[Any, Any]


class StockServicer(stock_pb2_grpc.StockServiceServicer):
    """Decodes, does, encodes; what is promised stands in the proto. What may have moved stock tells those who watch."""

    def __init__(
        self,
        *,
        taking: StockTaking,
        denials: DenialLedger,
        reservations: ReservationLedger,
        returns: ReturnLedger,
        movements: MovementLedger,
        listing: StockListing,
        watching: StockWatching,
        page_sizes: PageSizes,
        ledger_page_sizes: PageSizes,
        call_timeout_s: float,
    ) -> None:
        self._taking = taking
        self._denials = denials
        self._reservations = reservations
        self._returns = returns
        self._movements = movements
        self._listing = listing
        self._watching = watching
        self._page_sizes = page_sizes
        self._ledger_page_sizes = ledger_page_sizes
        self._call_timeout_s = call_timeout_s

    async def ReserveStock(self, request: stock_pb2.ReserveStockRequest, context: Context) -> stock_pb2.Reservation:
        asked = mapping.reservation_request(request)
        reservation = await self._taking.reserve(asked, self._deadline(context))
        self._watching.moved(asked.lines.ids)
        return mapping.reserved_to_proto(reservation)

    async def BatchReserveStock(
        self, request: stock_pb2.BatchReserveStockRequest, context: Context
    ) -> stock_pb2.BatchReserveStockResponse:
        asked = mapping.reservation_requests(request)
        outcomes = await self._taking.reserve_all(asked, self._deadline(context), in_order=request.in_order)
        self._watching.moved(mapping.disc_ids(asked))
        return mapping.outcomes_to_proto(outcomes)

    async def DenySoldOut(
        self, request: stock_pb2.DenySoldOutRequest, context: Context
    ) -> stock_pb2.DenySoldOutResponse:
        asked = mapping.denial_requests(request)
        stock_left = await self._denials.deny_sold_out(asked)
        return mapping.denials_to_proto(stock_left)

    async def ReleaseStock(self, request: stock_pb2.ReleaseStockRequest, context: Context) -> stock_pb2.Reservation:
        asked = mapping.release_request(request)
        reservation = await self._reservations.release(asked)
        self._watching.moved(asked.disc_ids)
        return mapping.reservation_to_proto(reservation)

    async def ReturnStock(self, request: stock_pb2.ReturnStockRequest, context: Context) -> stock_pb2.StockReturn:
        asked = returns_mapping.return_request(request)
        returned = await self._returns.take_back(asked)
        self._watching.moved(asked.lines.ids)
        return returns_mapping.return_to_proto(returned)

    async def GetReservation(self, request: stock_pb2.GetReservationRequest, context: Context) -> stock_pb2.Reservation:
        reservation_id, disc_ids = mapping.reservation_name(request)
        reservation = await self._reservations.get(reservation_id, disc_ids)
        return mapping.reservation_to_proto(reservation)

    async def ListReservations(
        self, request: stock_pb2.ListReservationsRequest, context: Context
    ) -> stock_pb2.ListReservationsResponse:
        page = listing_mapping.entry_page(request, self._ledger_page_sizes)
        entries = await self._listing.entries(page)
        return listing_mapping.entries_to_proto(page, entries)

    async def AdjustStock(self, request: stock_pb2.AdjustStockRequest, context: Context) -> stock_pb2.StockMovement:
        asked = mapping.movement_request(request)
        movement = await self._movements.adjust(asked)
        self._watching.moved([asked.disc_id])
        return mapping.applied_to_proto(movement)

    async def ListStockMovements(
        self, request: stock_pb2.ListStockMovementsRequest, context: Context
    ) -> stock_pb2.ListStockMovementsResponse:
        page = listing_mapping.movement_page(request, self._page_sizes)
        movements = await self._listing.movements(page)
        return listing_mapping.movements_to_proto(page, movements)

    async def ListStockBalances(
        self, request: stock_pb2.ListStockBalancesRequest, context: Context
    ) -> stock_pb2.ListStockBalancesResponse:
        page = listing_mapping.balance_page(request, self._page_sizes)
        balances = await self._listing.balances(page)
        return listing_mapping.balances_to_proto(page, balances)

    async def WatchStock(
        self, request: stock_pb2.WatchStockRequest, context: Context
    ) -> AsyncIterator[stock_pb2.WatchStockResponse]:
        positions = watch_mapping.positions(request)
        async for changes in self._watching.watch(positions):
            yield watch_mapping.changes_to_proto(changes)

    def _deadline(self, context: Context) -> Deadline:
        return Deadline.of_call(context, at_most_s=self._call_timeout_s)
