"""StockService in a test's words: short calls, each with a deadline."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

from recordshop.catalog.v1 import stock_pb2, stock_pb2_grpc

CALL_TIMEOUT_S = 20.0
PAGES_MAX = 1_000

RESERVED = stock_pb2.RESERVATION_STATE_RESERVED
DENIED = stock_pb2.RESERVATION_STATE_DENIED
RELEASED = stock_pb2.RESERVATION_STATE_RELEASED
APPLIED = stock_pb2.STOCK_MOVEMENT_STATE_APPLIED
REFUSED = stock_pb2.STOCK_MOVEMENT_STATE_REFUSED
RESTOCK = stock_pb2.RETURN_DISPOSITION_RESTOCK
WRITE_OFF = stock_pb2.RETURN_DISPOSITION_WRITE_OFF

Lines = Mapping[str, int] | Iterable[tuple[str, int]]
Asked = tuple[str, Lines]


def new_id() -> str:
    """Return an id that nobody used before."""
    return str(uuid4())


class StockRoom:
    """Takes, gives back, moves and counts copies."""

    def __init__(self, stub: "stock_pb2_grpc.StockServiceAsyncStub") -> None:
        self.stub = stub

    async def reserve(self, reservation_id: str, lines: Lines) -> stock_pb2.Reservation:
        """Ask for copies; a mapping of disc to quantity, or pairs where one disc stands on several lines."""
        return await self.stub.ReserveStock(reserve_request(reservation_id, lines), timeout=CALL_TIMEOUT_S)

    async def reserve_all(self, *asked: Asked) -> list[stock_pb2.ReserveStockResult]:
        """Ask for several reservations, each as an id and its lines."""
        request = stock_pb2.BatchReserveStockRequest(requests=[reserve_request(*entry) for entry in asked])
        return list((await self.stub.BatchReserveStock(request, timeout=CALL_TIMEOUT_S)).results)

    async def deny(self, *asked: Asked) -> list[int | None]:
        """Have reservations denied that too few copies are left for; return how many were, or None for those that were not denied."""
        request = stock_pb2.DenySoldOutRequest(requests=[reserve_request(*entry) for entry in asked])
        response = await self.stub.DenySoldOut(request, timeout=CALL_TIMEOUT_S)
        return [result.stock_left if result.HasField("stock_left") else None for result in response.results]

    async def release(self, reservation_id: str, *disc_ids: str) -> stock_pb2.Reservation:
        """Give a reservation's copies back."""
        request = stock_pb2.ReleaseStockRequest(reservation_id=reservation_id, disc_ids=disc_ids)
        return await self.stub.ReleaseStock(request, timeout=CALL_TIMEOUT_S)

    async def take_back(
        self, reservation_id: str, lines: Lines, *, return_id: str | None = None, disposition: Any = 0
    ) -> stock_pb2.StockReturn:
        """Take copies back from a reservation; with a new return_id unless one is given."""
        pairs = lines.items() if isinstance(lines, Mapping) else lines
        request = stock_pb2.ReturnStockRequest(
            return_id=new_id() if return_id is None else return_id,
            reservation_id=reservation_id,
            lines=[stock_pb2.StockLine(disc_id=disc_id, quantity=quantity) for disc_id, quantity in pairs],
            disposition=disposition,
        )
        return await self.stub.ReturnStock(request, timeout=CALL_TIMEOUT_S)

    async def reservation(self, reservation_id: str, *disc_ids: str) -> stock_pb2.Reservation:
        """Read what was decided."""
        request = stock_pb2.GetReservationRequest(reservation_id=reservation_id, disc_ids=disc_ids)
        return await self.stub.GetReservation(request, timeout=CALL_TIMEOUT_S)

    async def adjust(
        self, disc_id: str, delta: int, *, movement_id: str | None = None, reason: str = "delivery"
    ) -> stock_pb2.StockMovement:
        """Move a disc's stock."""
        request = stock_pb2.AdjustStockRequest(
            disc_id=disc_id, movement_id=new_id() if movement_id is None else movement_id, delta=delta, reason=reason
        )
        return await self.stub.AdjustStock(request, timeout=CALL_TIMEOUT_S)

    async def entries(self, **request: Any) -> stock_pb2.ListReservationsResponse:
        """Read a page of the ledger."""
        return await self.stub.ListReservations(stock_pb2.ListReservationsRequest(**request), timeout=CALL_TIMEOUT_S)

    async def movements(self, **request: Any) -> stock_pb2.ListStockMovementsResponse:
        """Read a page of movements."""
        return await self.stub.ListStockMovements(
            stock_pb2.ListStockMovementsRequest(**request), timeout=CALL_TIMEOUT_S
        )

    async def balances(self, **request: Any) -> stock_pb2.ListStockBalancesResponse:
        """Read a page of balances."""
        return await self.stub.ListStockBalances(stock_pb2.ListStockBalancesRequest(**request), timeout=CALL_TIMEOUT_S)

    async def balance(self, disc_id: str) -> stock_pb2.StockBalance:
        """Read one disc's balance, which must add up."""
        (balance,) = (await self.balances(disc_ids=[disc_id])).balances
        assert adds_up(balance), balance
        return balance

    async def left(self, disc_id: str) -> int:
        """Count the copies on the shelf."""
        return (await self.balance(disc_id)).left


def reserve_request(reservation_id: str, lines: Lines) -> stock_pb2.ReserveStockRequest:
    """Return the request for a reservation."""
    pairs = lines.items() if isinstance(lines, Mapping) else lines
    return stock_pb2.ReserveStockRequest(
        reservation_id=reservation_id,
        lines=[stock_pb2.StockLine(disc_id=disc_id, quantity=quantity) for disc_id, quantity in pairs],
    )


def adds_up(balance: stock_pb2.StockBalance) -> bool:
    """Tell whether every copy is where the balance says."""
    return balance.opening + balance.moved == balance.left + balance.held


async def walk(read: Callable[..., Any], **request: Any) -> list[Any]:
    """Read all pages of a list, and return them."""
    pages = [await read(**request)]
    while pages[-1].next_page_token:
        assert len(pages) < PAGES_MAX, "the walk does not end"
        pages.append(await read(**request, page_token=pages[-1].next_page_token))
    return pages
