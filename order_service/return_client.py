"""The catalog, as a return sees it: copies are taken back, or were not held."""

import grpc

from order_service.errors import CatalogUnavailable
from order_service.return_model import Disposition, OrderReturn
from recordshop.catalog.v1 import stock_pb2, stock_pb2_grpc
from service_runtime.deadline import Deadline
from service_runtime.errors import Internal, error_info

REFUSALS = ("RETURN_EXCEEDS_HELD", "RESERVATION_NOT_FOUND")
NO_ANSWER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
DISPOSITIONS = {
    disposition: stock_pb2.ReturnDisposition.Value(f"RETURN_DISPOSITION_{disposition}") for disposition in Disposition
}


class ReturnClient:
    """Gives copies back. An answer, a refusal too, is a value; CatalogUnavailable means that there was none."""

    def __init__(self, *, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub = stock_pb2_grpc.StockServiceStub(channel)
        self._timeout_s = timeout_s

    async def return_stock(self, returning: OrderReturn, deadline: Deadline) -> bool:
        """Tells whether the copies are back, now or since an earlier question; False if the order does not hold them."""
        request = stock_pb2.ReturnStockRequest(
            return_id=str(returning.id),
            reservation_id=str(returning.order_id),
            lines=[
                stock_pb2.StockLine(disc_id=str(disc_id), quantity=quantity)
                for disc_id, quantity in zip(*returning.lines, strict=True)
            ],
            disposition=DISPOSITIONS[returning.disposition],
        )
        try:
            await self._stub.ReturnStock(request, timeout=deadline.at_most(self._timeout_s))
        except grpc.aio.AioRpcError as error:
            info = error_info(error)
            if info is None or error.code() in NO_ANSWER:
                raise CatalogUnavailable from error
            if info.reason in REFUSALS:
                return False
            raise Internal from error
        return True
