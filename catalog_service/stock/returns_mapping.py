"""Returns of copies: protos to the words of the stock room, and back."""

from catalog_service.stock.model import LINES_MAX, QUANTITY_MAX, Disposition, ReturnRequest, StockReturn
from recordshop.catalog.v1 import stock_pb2
from service_runtime.quantities import read_lines
from service_runtime.timestamps import timestamp
from service_runtime.validation import reading_fields

PROTO_BY_DISPOSITION = {
    disposition: stock_pb2.ReturnDisposition.Value(f"RETURN_DISPOSITION_{disposition}") for disposition in Disposition
}
DISPOSITIONS = {
    stock_pb2.RETURN_DISPOSITION_UNSPECIFIED: Disposition.RESTOCK,
    **{proto: disposition for disposition, proto in PROTO_BY_DISPOSITION.items()},
}


def return_request(request: stock_pb2.ReturnStockRequest) -> ReturnRequest:
    """Reads a request; lines of one disc are added up."""
    with reading_fields() as fields:
        return_id = fields.uuid("return_id", request.return_id)
        reservation_id = fields.uuid("reservation_id", request.reservation_id)
        asked = [(line.disc_id, line.quantity) for line in request.lines]
        lines = read_lines(fields, asked, id_name="disc_id", lines_max=LINES_MAX, quantity_max=QUANTITY_MAX)
        disposition = DISPOSITIONS.get(request.disposition)
        if disposition is None:
            fields.bad("disposition", "is not a disposition of returns")
    return ReturnRequest(return_id, reservation_id, lines, disposition or Disposition.RESTOCK, lines.fingerprint())


def return_to_proto(returned: StockReturn) -> stock_pb2.StockReturn:
    """Answers a recorded return."""
    return stock_pb2.StockReturn(
        return_id=str(returned.id),
        reservation_id=str(returned.reservation_id),
        lines=[
            stock_pb2.StockLine(disc_id=str(disc_id), quantity=quantity)
            for disc_id, quantity in zip(*returned.lines, strict=True)
        ],
        disposition=PROTO_BY_DISPOSITION[returned.disposition],
        create_time=timestamp(returned.create_time),
    )
