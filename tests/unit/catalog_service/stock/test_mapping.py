"""What a reservation is answered as: only one that holds its copies is ever answered as held."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from catalog_service.stock.errors import OutOfStock, ReservationReleased
from catalog_service.stock.mapping import reserved_to_proto
from catalog_service.stock.model import Refusal, Reservation, ReservationLine, ReservationState
from recordshop.catalog.v1 import stock_pb2

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def reservation(state: ReservationState, *refusals: Refusal | None) -> Reservation:
    lines = [
        ReservationLine(
            disc_id=UUID(int=number),
            quantity=2,
            name="Disc",
            artist="Artist",
            price_cents=100,
            stock_left=1,
            refusal=refusal,
        )
        for number, refusal in enumerate(refusals, start=1)
    ]
    return Reservation(id=UUID(int=9), state=state, lines=lines, create_time=MOMENT, update_time=MOMENT)


def test_a_held_reservation_is_answered() -> None:
    answer = reserved_to_proto(reservation(ReservationState.RESERVED, None, None))
    assert answer.state == stock_pb2.RESERVATION_STATE_RESERVED
    assert [line.stock_left for line in answer.lines] == [1, 1]


@pytest.mark.parametrize("refusals", [(None,), (Refusal.OUT_OF_STOCK,), (None, Refusal.OUT_OF_STOCK)])
def test_a_refused_reservation_is_an_error_whatever_its_lines_say(refusals: tuple[Refusal | None, ...]) -> None:
    with pytest.raises(OutOfStock) as raised:
        reserved_to_proto(reservation(ReservationState.DENIED, *refusals))
    count = len(refusals)
    assert raised.value.metadata["asked"] == ",".join(["2"] * count)
    assert raised.value.metadata["left"] == ",".join(["1"] * count)


def test_a_released_reservation_is_an_error() -> None:
    with pytest.raises(ReservationReleased):
        reserved_to_proto(reservation(ReservationState.RELEASED, None))
