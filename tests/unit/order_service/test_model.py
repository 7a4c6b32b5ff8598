"""Order ids and fingerprints: they stand in databases for ever, so that not one bit of them may change."""

from collections.abc import Iterable
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from catalog_service.stock.model import ReservationRequest
from order_service.model import OrderDraft, order_id_for
from service_runtime.quantities import Lines, read_lines
from service_runtime.validation import reading_fields

CUSTOMER = UUID("0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb")
DISC = UUID("bcd8a0e9-dc0a-4ae7-a783-458542e2cc39")
OTHER_DISC = UUID("00000000-0000-4000-8000-000000000001")

request_ids = st.from_regex(r"\A[A-Za-z0-9._:-]{1,64}\Z")
quantities = st.dictionaries(st.uuids(), st.integers(1, 1_000), min_size=1, max_size=50)


def read(asked: Iterable[tuple[UUID, int]]) -> Lines:
    lines = [(str(disc_id), quantity) for disc_id, quantity in asked]
    with reading_fields() as fields:
        return read_lines(fields, lines, id_name="disc_id", lines_max=50, quantity_max=1_000)


def fingerprint(asked: Iterable[tuple[UUID, int]]) -> bytes:
    return OrderDraft.of(CUSTOMER, "r", read(asked)).fingerprint


def first_12_bits(order_id: UUID) -> int:
    return order_id.int >> 116


def test_an_order_id_is_what_it_was_when_the_first_orders_were_stored() -> None:
    assert order_id_for(CUSTOMER, "r-1") == UUID("cabe2180-38c0-8e9c-a1a2-531a69bc75d5")
    assert order_id_for(CUSTOMER, "A._:-z") == UUID("cab4dd19-57f7-8812-a9c9-02bd5bbfc270")


def test_a_fingerprint_is_what_it_was_when_the_first_orders_were_stored() -> None:
    assert fingerprint([(DISC, 2), (OTHER_DISC, 1_000)]).hex() == "465d5dea2870a4349a75f189113689b3"


@given(st.uuids(), request_ids)
def test_an_order_id_is_a_uuid_of_version_8_that_follows_from_customer_and_request(
    customer: UUID, request_id: str
) -> None:
    order_id = order_id_for(customer, request_id)
    assert (order_id.version, order_id.variant) == (8, RFC_4122)
    assert order_id_for(UUID(str(customer).upper()), request_id) == order_id


@given(st.uuids(), st.sets(request_ids, min_size=2))
def test_one_customers_order_ids_differ_and_begin_alike(customer: UUID, names: set[str]) -> None:
    ids = {order_id_for(customer, name) for name in names}
    assert len(ids) == len(names)
    assert len(set(map(first_12_bits, ids))) == 1


@given(st.sets(st.uuids(), min_size=2), request_ids)
def test_customers_with_one_request_id_have_orders_of_their_own(customers: set[UUID], request_id: str) -> None:
    assert len({order_id_for(customer, request_id) for customer in customers}) == len(customers)


def test_customers_spread_over_the_first_bits() -> None:
    assert len({first_12_bits(order_id_for(UUID(int=number), "r")) for number in range(1, 1_001)}) > 800


@given(quantities, st.randoms())
def test_a_fingerprint_does_not_depend_on_the_order_of_lines(lines: dict[UUID, int], random: object) -> None:
    shuffled = list(lines.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fingerprint(lines.items()) == fingerprint(shuffled)
    assert len(fingerprint(shuffled)) == 16
    assert read(shuffled).ids == tuple(sorted(lines))


@given(quantities, quantities)
def test_different_lines_have_different_fingerprints(one: dict[UUID, int], other: dict[UUID, int]) -> None:
    assert (fingerprint(one.items()) == fingerprint(other.items())) == (one == other)


@given(quantities)
def test_the_catalog_tells_lines_apart_as_the_order_service_does(lines: dict[UUID, int]) -> None:
    assert ReservationRequest.of(DISC, read(lines.items())).fingerprint == fingerprint(lines.items())
