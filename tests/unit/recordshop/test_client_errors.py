import pickle
import re
from pathlib import Path

import grpc
import pytest

from recordshop import errors
from recordshop.client import InvalidArgument, OrderUndecided, OutOfStock, RecordShop, ShopError, error_from_rpc
from recordshop.error_details import CLASS_BY_CODE, CLASS_BY_REASON
from recordshop.errors import Failure
from recordshop.order.v1 import order_pb2
from tests.unit.recordshop.fake_shop import Answer, FakeShop, failed

CODE = grpc.StatusCode
PROTOS = Path(__file__).resolve().parents[3] / "protos"

REASONS = [
    (CODE.NOT_FOUND, "CUSTOMER_NOT_FOUND", errors.CustomerNotFound),
    (CODE.NOT_FOUND, "DISC_NOT_FOUND", errors.DiscNotFound),
    (CODE.NOT_FOUND, "ORDER_NOT_FOUND", errors.OrderNotFound),
    (CODE.NOT_FOUND, "RESERVATION_NOT_FOUND", errors.ReservationNotFound),
    (CODE.ALREADY_EXISTS, "CUSTOMER_EXISTS", errors.CustomerExists),
    (CODE.ALREADY_EXISTS, "DISC_EXISTS", errors.DiscExists),
    (CODE.ALREADY_EXISTS, "DOCUMENT_TAKEN", errors.DocumentTaken),
    (CODE.ALREADY_EXISTS, "MOVEMENT_ID_REUSED", errors.MovementIdReused),
    (CODE.ALREADY_EXISTS, "REQUEST_ID_REUSED", errors.RequestIdReused),
    (CODE.FAILED_PRECONDITION, "CUSTOMER_INACTIVE", errors.CustomerInactive),
    (CODE.FAILED_PRECONDITION, "DISC_DELETED", errors.DiscDeleted),
    (CODE.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE", errors.OrderNotCancellable),
    (CODE.FAILED_PRECONDITION, "ORDER_NOT_DECIDED", errors.OrderNotDecided),
    (CODE.FAILED_PRECONDITION, "OUT_OF_STOCK", errors.OutOfStock),
    (CODE.FAILED_PRECONDITION, "RESERVATION_DISCS_DIFFER", errors.ReservationDiscsDiffer),
    (CODE.FAILED_PRECONDITION, "RESERVATION_RELEASED", errors.ReservationReleased),
    (CODE.FAILED_PRECONDITION, "RETURN_EXCEEDS_HELD", errors.ReturnExceedsHeld),
    (CODE.FAILED_PRECONDITION, "RETURN_EXCEEDS_SALE", errors.ReturnExceedsSale),
    (CODE.FAILED_PRECONDITION, "STOCK_ABOVE_MAXIMUM", errors.StockAboveMaximum),
    (CODE.FAILED_PRECONDITION, "STOCK_BELOW_ZERO", errors.StockBelowZero),
    (CODE.ABORTED, "ETAG_MISMATCH", errors.EtagMismatch),
    (CODE.ABORTED, "CONFLICT_RETRIES_EXHAUSTED", errors.ConflictRetriesExhausted),
    (CODE.OUT_OF_RANGE, "REVISION_AHEAD", errors.RevisionAhead),
    (CODE.OUT_OF_RANGE, "REVISION_TOO_OLD", errors.RevisionTooOld),
    (CODE.RESOURCE_EXHAUSTED, "OVERLOADED", errors.Overloaded),
    (CODE.RESOURCE_EXHAUSTED, "RATE_LIMITED", errors.RateLimited),
    (CODE.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", errors.TooManyCalls),
    (CODE.UNAVAILABLE, "NOT_ACCEPTED", errors.NotAccepted),
    (CODE.UNAVAILABLE, "ORDER_CANCELLING", errors.OrderCancelling),
    (CODE.UNAVAILABLE, "ORDER_PENDING", errors.OrderPending),
    (CODE.UNAVAILABLE, "ORDER_RETURNING", errors.OrderReturning),
    (CODE.UNAVAILABLE, "ANONYMIZATION_PENDING", errors.AnonymizationPending),
    (CODE.FAILED_PRECONDITION, "CUSTOMER_ANONYMIZED", errors.CustomerAnonymized),
    (CODE.UNAVAILABLE, "WATCH_ENDED", errors.WatchEnded),
]


async def answered(fake: FakeShop, shop: RecordShop, answer: Answer) -> ShopError:
    fake.script = [answer]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shop.orders.GetOrder(order_pb2.GetOrderRequest(id="o1"), timeout=5)
    return error_from_rpc(caught.value)


@pytest.mark.parametrize(("code", "reason", "wanted"), REASONS)
async def test_a_reason_has_its_class(
    fake: FakeShop, shop: RecordShop, code: grpc.StatusCode, reason: str, wanted: type[ShopError]
) -> None:
    error = await answered(fake, shop, failed(code, reason, order_id="o1", disc_id="d1,d2"))

    assert type(error) is wanted
    assert isinstance(error, CLASS_BY_CODE[code])
    assert (error.code, error.reason, error.message) == (code, reason, f"because of {reason}")
    assert error.metadata == {"order_id": "o1", "disc_id": "d1,d2"}
    assert (error.order_id, error.disc_ids) == ("o1", ("d1", "d2"))
    assert str(error) == f"{reason}: because of {reason}"


def test_the_table_holds_every_reason_that_the_contract_names() -> None:
    contract = " ".join(
        line.strip().removeprefix("//").strip()
        for proto in PROTOS.rglob("*.proto")
        for line in proto.read_text().splitlines()
    )
    codes = "NOT_FOUND|ALREADY_EXISTS|FAILED_PRECONDITION|ABORTED|OUT_OF_RANGE|RESOURCE_EXHAUSTED|UNAVAILABLE"
    named = re.findall(rf"\b(?:{codes}) \(([A-Z_]+)(?: or ([A-Z_]+))?", contract)

    assert {reason for reasons in named for reason in reasons if reason} == set(CLASS_BY_REASON)
    assert {reason for _, reason, _ in REASONS} == set(CLASS_BY_REASON)


async def test_bad_fields_are_all_named(fake: FakeShop, shop: RecordShop) -> None:
    violations = [("customer_id", "is no UUID"), ("lines[0].quantity", "is 0"), ("lines[0].quantity", "is too small")]
    fake.script = [failed(CODE.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=violations)]

    with pytest.raises(InvalidArgument) as caught:
        await shop.create_order("nobody", {"d1": 0})

    assert caught.value.violations == {"customer_id": "is no UUID", "lines[0].quantity": "is 0; is too small"}
    assert len(fake.requests) == 1


@pytest.mark.parametrize(("code", "wanted"), CLASS_BY_CODE.items())
async def test_a_reason_of_tomorrow_has_the_class_of_its_code(
    fake: FakeShop, shop: RecordShop, code: grpc.StatusCode, wanted: type[ShopError]
) -> None:
    error = await answered(fake, shop, failed(code, "OF_TOMORROW"))

    assert type(error) is wanted
    assert error.reason == "OF_TOMORROW"


async def test_a_reason_of_another_domain_is_not_taken_for_ours(fake: FakeShop, shop: RecordShop) -> None:
    error = await answered(fake, shop, failed(CODE.UNAVAILABLE, "NOT_ACCEPTED", domain="proxy.example"))

    assert type(error) is errors.Unavailable


async def test_an_error_without_details_has_its_code_and_message(fake: FakeShop, shop: RecordShop) -> None:
    status = failed(CODE.DATA_LOSS)
    status.ClearField("details")

    error = await answered(fake, shop, status)

    assert type(error) is ShopError
    assert (error.code, error.reason, str(error)) == (CODE.DATA_LOSS, "", "DATA_LOSS: because of ")


@pytest.mark.parametrize("details", [b"\xff\xff", b"\x08\x05"], ids=["unreadable", "of another status"])
def test_details_that_make_no_sense_are_as_good_as_none(details: bytes) -> None:
    metadata = grpc.aio.Metadata(("grpc-status-details-bin", details))

    error = error_from_rpc(grpc.aio.AioRpcError(CODE.UNAVAILABLE, grpc.aio.Metadata(), metadata, "gone"))

    assert type(error) is errors.Unavailable
    assert error.message == "gone"


@pytest.mark.parametrize(
    "metadata",
    [{}, {"disc_id": "d1,d2", "asked": "1", "left": "0"}, {"disc_id": "d1", "asked": "many", "left": "0"}],
    ids=["none", "lists of different lengths", "no numbers"],
)
def test_figures_that_make_no_sense_are_left_out(metadata: dict[str, str]) -> None:
    failure = Failure(CODE.FAILED_PRECONDITION, metadata=metadata)

    assert OutOfStock(failure).lines == {}


def test_errors_survive_a_trip_to_another_process() -> None:
    failure = Failure(CODE.UNAVAILABLE, "no answer", "ORDER_PENDING", {"order_id": "o1"})

    error = pickle.loads(pickle.dumps(OrderUndecided(failure, "r1", "o1")))

    assert (error.failure, error.request_id, error.order_id) == (failure, "r1", "o1")
    assert "r1" in str(error)
