import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.client import DiscExists, OutcomeUnknown, Overloaded, RecordShop
from recordshop.customer.v1 import customer_pb2
from tests.unit.recordshop.fake_shop import FakeShop, failed, lost

CODE = grpc.StatusCode
NOT_ACCEPTED = failed(CODE.UNAVAILABLE, "NOT_ACCEPTED")
DISC = catalog_pb2.Disc(name="We are Reactive", artist="Hohpe", price_cents=1_999)
CUSTOMER = customer_pb2.Customer(name="John Doe")


async def test_a_disc_has_its_id_before_the_first_attempt_and_keeps_it(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [lost(), NOT_ACCEPTED, DISC]

    assert await shop.create_disc(DISC, opening_stock=500) == DISC

    disc_id = fake.requests[0].disc_id
    assert disc_id
    assert fake.requests == [catalog_pb2.CreateDiscRequest(disc=DISC, disc_id=disc_id, opening_stock=500)] * 3
    await shop.create_disc(DISC)
    assert fake.requests[-1].disc_id != disc_id


async def test_a_customer_has_an_id_before_the_first_attempt_and_keeps_it(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [failed(CODE.UNAVAILABLE), CUSTOMER]

    assert await shop.create_customer(CUSTOMER) == CUSTOMER

    customer_id = fake.requests[0].customer_id
    assert customer_id
    assert fake.requests == [customer_pb2.CreateCustomerRequest(customer=CUSTOMER, customer_id=customer_id)] * 2


async def test_a_create_without_an_answer_tells_the_id_to_repeat_with(fake: FakeShop, shop: RecordShop) -> None:
    # The catalog's NOT_ACCEPTED does not promise that nothing was written, as the order service's does.
    fake.script = [NOT_ACCEPTED]

    with pytest.raises(OutcomeUnknown) as caught:
        await shop.create_disc(DISC)

    assert {request.disc_id for request in fake.requests} == {caught.value.repeat_id}
    fake.script = [DISC]
    await shop.create_disc(DISC, disc_id=caught.value.repeat_id)
    assert fake.requests[-1] == fake.requests[0]


async def test_a_create_that_was_answered_or_never_begun_says_so(fake: FakeShop, shop: RecordShop) -> None:
    fake.script = [
        failed(CODE.ALREADY_EXISTS, "DISC_EXISTS"),
        failed(CODE.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_s=3600),
    ]

    with pytest.raises(DiscExists):
        await shop.create_disc(DISC, disc_id="d1")
    with pytest.raises(Overloaded):
        await shop.create_customer(CUSTOMER)
