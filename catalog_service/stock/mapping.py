"""Protos to the words of the stock room, and back."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from catalog_service.errors import DiscDeleted, DiscNotFound
from catalog_service.stock.errors import OutOfStock, ReservationReleased, StockAboveMaximum, StockBelowZero
from catalog_service.stock.model import (
    BATCH_SIZE_MAX,
    LINES_MAX,
    QUANTITY_MAX,
    STOCK_MAX,
    Movement,
    MovementRequest,
    MovementState,
    Refusal,
    ReleaseRequest,
    Reservation,
    ReservationLine,
    ReservationRequest,
    ReservationState,
)
from recordshop.catalog.v1 import stock_pb2
from service_runtime.errors import Internal, InvalidArgument, ServiceError
from service_runtime.quantities import read_lines
from service_runtime.timestamps import timestamp
from service_runtime.validation import Fields, reading_fields

REASON_LENGTH_MAX = 200
REFUSALS: dict[Refusal, type[ServiceError]] = {
    Refusal.OUT_OF_STOCK: OutOfStock,
    Refusal.DISC_NOT_FOUND: DiscNotFound,
    Refusal.DISC_DELETED: DiscDeleted,
}
STATES = {
    ReservationState.RESERVED: stock_pb2.RESERVATION_STATE_RESERVED,
    ReservationState.DENIED: stock_pb2.RESERVATION_STATE_DENIED,
    ReservationState.RELEASED: stock_pb2.RESERVATION_STATE_RELEASED,
}
MOVEMENT_STATES = {
    MovementState.APPLIED: stock_pb2.STOCK_MOVEMENT_STATE_APPLIED,
    MovementState.REFUSED: stock_pb2.STOCK_MOVEMENT_STATE_REFUSED,
}


def reservation_request(request: stock_pb2.ReserveStockRequest) -> ReservationRequest:
    """Reads a request; lines of one disc are added up."""
    fields = Fields()
    reservation_id = fields.uuid("reservation_id", request.reservation_id)
    asked = [(line.disc_id, line.quantity) for line in request.lines]
    lines = read_lines(fields, asked, id_name="disc_id", lines_max=LINES_MAX, quantity_max=QUANTITY_MAX)
    fields.raise_if_bad()
    return ReservationRequest.of(reservation_id, lines)


def reservation_requests(request: stock_pb2.BatchReserveStockRequest) -> list[ReservationRequest | ServiceError]:
    """Reads a batch; an entry with bad fields becomes its own error, and its neighbours stay."""
    with reading_fields() as fields:
        if not 1 <= len(request.requests) <= BATCH_SIZE_MAX:
            fields.bad("requests", f"must have 1 to {BATCH_SIZE_MAX:,} entries")
    return [_request_or_error(entry) for entry in request.requests]


def disc_ids(requests: Sequence[ReservationRequest | ServiceError]) -> Iterator[UUID]:
    """The discs that a batch asked for."""
    for request in requests:
        if isinstance(request, ReservationRequest):
            yield from request.lines.ids


def denial_requests(request: stock_pb2.DenySoldOutRequest) -> list[ReservationRequest]:
    """Reads reservations of one disc each; whatever is wrong with any of them is wrong with the request."""
    fields = Fields()
    if not 1 <= len(request.requests) <= BATCH_SIZE_MAX:
        fields.bad("requests", f"must have 1 to {BATCH_SIZE_MAX:,} entries")
        fields.raise_if_bad()
    asked = []
    for index, entry in enumerate(request.requests):
        try:
            asked.append(reservation_request(entry))
        except InvalidArgument as error:
            for violation in error.violations:
                fields.bad(f"requests[{index}].{violation.field}", violation.description)
        else:
            if len(asked[-1].lines.ids) > 1:
                fields.bad(f"requests[{index}].lines", "must be of one disc")
    if len({entry.id for entry in asked}) < len(asked):
        fields.bad("requests", "must name each reservation_id once")
    fields.raise_if_bad()
    return asked


def denials_to_proto(stock_left: Sequence[int | None]) -> stock_pb2.DenySoldOutResponse:
    """Answers how many copies were left for each request that was denied."""
    return stock_pb2.DenySoldOutResponse(results=[stock_pb2.DenySoldOutResult(stock_left=left) for left in stock_left])


def _request_or_error(request: stock_pb2.ReserveStockRequest) -> ReservationRequest | ServiceError:
    try:
        return reservation_request(request)
    except InvalidArgument as error:
        return error


def release_request(request: stock_pb2.ReleaseStockRequest) -> ReleaseRequest:
    """Reads a request; each disc once."""
    with reading_fields() as fields:
        reservation_id = fields.uuid("reservation_id", request.reservation_id)
        disc_ids = fields.uuids("disc_ids", request.disc_ids, count_min=1, count_max=LINES_MAX)
        if len(set(disc_ids)) < len(disc_ids):
            fields.bad("disc_ids", "must name each disc once")
    return ReleaseRequest(id=reservation_id, disc_ids=sorted(disc_ids))


def reservation_name(request: stock_pb2.GetReservationRequest) -> tuple[UUID, list[UUID]]:
    """Reads a reservation's id and the ids of its discs."""
    with reading_fields() as fields:
        reservation_id = fields.uuid("reservation_id", request.reservation_id)
        disc_ids = fields.uuids("disc_ids", request.disc_ids, count_min=1, count_max=LINES_MAX)
    return reservation_id, disc_ids


def movement_request(request: stock_pb2.AdjustStockRequest) -> MovementRequest:
    """Reads a movement."""
    with reading_fields() as fields:
        disc_id = fields.uuid("disc_id", request.disc_id)
        movement_id = fields.caller_id("movement_id", request.movement_id)
        delta = fields.integer("delta", request.delta, at_least=-STOCK_MAX, at_most=STOCK_MAX)
        if delta == 0:
            fields.bad("delta", "must not be 0")
        reason = fields.text("reason", request.reason, length_max=REASON_LENGTH_MAX)
    return MovementRequest(disc_id=disc_id, id=movement_id, delta=delta, reason=reason)


def reserved_to_proto(reservation: Reservation) -> stock_pb2.Reservation:
    """Answers a reservation that holds its copies; a refused or released one becomes the error that says so."""
    refusal = _refusal(reservation)
    if refusal is not None:
        raise refusal
    return reservation_to_proto(reservation)


def outcomes_to_proto(outcomes: Sequence[Reservation | ServiceError]) -> stock_pb2.BatchReserveStockResponse:
    """Answers a batch, one result for each request."""
    response = stock_pb2.BatchReserveStockResponse()
    for outcome in outcomes:
        _fill_in(response.results.add(), outcome)
    return response


def _fill_in(result: stock_pb2.ReserveStockResult, outcome: Reservation | ServiceError) -> None:
    """Fields that are set where they stand take half the time of messages that are made and then copied into others."""
    error = outcome if isinstance(outcome, ServiceError) else _refusal(outcome)
    if isinstance(outcome, Reservation) and error is None:
        for line in outcome.lines:
            held = result.held.lines.add()
            held.name = line.name or ""
            held.artist = line.artist or ""
            held.price_cents = line.price_cents or 0
            held.stock_left = line.stock_left or 0
        return
    refused = error or Internal()
    result.error.code = refused.code.value[0]
    result.error.reason = refused.reason
    result.error.message = refused.message
    result.error.metadata.update(refused.metadata)


def _refusal(reservation: Reservation) -> ServiceError | None:
    """The recorded state decides: whoever reads OK as sold must never read it of a reservation that holds nothing."""
    if reservation.state is ReservationState.RELEASED:
        return ReservationReleased({"reservation_id": str(reservation.id)})
    if reservation.state is ReservationState.DENIED:
        refusal = reservation.refusal or Refusal.OUT_OF_STOCK
        return REFUSALS[refusal](_refusal_metadata(reservation, refusal))
    return None


def _refusal_metadata(reservation: Reservation, refusal: Refusal) -> dict[str, str]:
    metadata = {"reservation_id": str(reservation.id)}
    if refusal is not Refusal.OUT_OF_STOCK:
        at_fault = [line for line in reservation.lines if line.refusal is refusal]
        return metadata | {"disc_id": ",".join(str(line.disc_id) for line in at_fault)}
    return metadata | {
        "disc_id": ",".join(str(line.disc_id) for line in reservation.lines),
        "asked": ",".join(str(line.quantity) for line in reservation.lines),
        "left": ",".join(str(line.stock_left) for line in reservation.lines),
    }


def reservation_to_proto(reservation: Reservation) -> stock_pb2.Reservation:
    """Answers what was decided, whatever it was."""
    return stock_pb2.Reservation(
        reservation_id=str(reservation.id),
        state=STATES[reservation.state],
        lines=[line_to_proto(line) for line in reservation.lines],
        create_time=timestamp(reservation.create_time),
        update_time=timestamp(reservation.update_time),
    )


def line_to_proto(line: ReservationLine) -> stock_pb2.ReservationLine:
    """Answers one line."""
    return stock_pb2.ReservationLine(
        disc_id=str(line.disc_id),
        quantity=line.quantity,
        name=line.name or "",
        artist=line.artist or "",
        price_cents=line.price_cents or 0,
        stock_left=line.stock_left,
        reason=line.refusal or "",
        returned_quantity=line.returned,
    )


def applied_to_proto(movement: Movement) -> stock_pb2.StockMovement:
    """Answers a movement that was applied; a refused one becomes the error that says so."""
    if movement.state is MovementState.REFUSED:
        refusal = StockBelowZero if movement.delta < 0 else StockAboveMaximum
        raise refusal({"disc_id": str(movement.disc_id), "movement_id": movement.id, "left": str(movement.stock_left)})
    return movement_to_proto(movement)


def movement_to_proto(movement: Movement) -> stock_pb2.StockMovement:
    """Answers what was decided, whatever it was."""
    return stock_pb2.StockMovement(
        disc_id=str(movement.disc_id),
        movement_id=movement.id,
        delta=movement.delta,
        reason=movement.reason,
        state=MOVEMENT_STATES[movement.state],
        stock_left=movement.stock_left,
        create_time=timestamp(movement.create_time),
    )
