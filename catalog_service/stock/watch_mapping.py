"""Watches of stock: protos to the words of the stock room, and back."""

from collections.abc import Sequence

from catalog_service.stock.model import WATCHED_MAX, Position, StockChange
from recordshop.catalog.v1 import stock_pb2
from service_runtime.timestamps import timestamp
from service_runtime.validation import reading_fields

REVISION_MAX = 2**62


def positions(request: stock_pb2.WatchStockRequest) -> list[Position]:
    """Reads what to watch, and what its watcher has seen."""
    with reading_fields() as fields:
        if not 1 <= len(request.discs) <= WATCHED_MAX:
            fields.bad("discs", f"must have 1 to {WATCHED_MAX} entries")
            return []
        asked = []
        for index, disc in enumerate(request.discs):
            disc_id = fields.uuid(f"discs[{index}].disc_id", disc.disc_id)
            revision = None
            if disc.HasField("revision"):
                path = f"discs[{index}].revision"
                revision = fields.integer(path, disc.revision, at_least=0, at_most=REVISION_MAX)
            asked.append(Position(disc_id, revision))
        if len({position.disc_id for position in asked}) < len(asked):
            fields.bad("discs", "must name each disc once")
    return asked


def changes_to_proto(changes: Sequence[StockChange]) -> stock_pb2.WatchStockResponse:
    """Answers changes, and discs as they are."""
    return stock_pb2.WatchStockResponse(changes=[_change_to_proto(change) for change in changes])


def _change_to_proto(change: StockChange) -> stock_pb2.StockChange:
    return stock_pb2.StockChange(
        disc_id=str(change.disc_id),
        revision=change.revision,
        stock=change.stock,
        change_time=None if change.change_time is None else timestamp(change.change_time),
    )
