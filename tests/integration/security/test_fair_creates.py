"""Nobody takes the shop away from others by creating more than their share, in whatever way they create."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2
from recordshop.error_details import error_from_rpc
from recordshop.errors import RateLimited
from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.conftest import FreshShops
from tests.integration.order_desk import order_request
from tests.integration.security.callers import CALL_TIMEOUT_S, person, shop_of
from tests.integration.security.conftest import LockedShop, OpenLockedShop
from tests.integration.security.relay import relayed

# One comes back in a quarter of an hour: within a test none does.
NEVER = "0.001"
RATE_LIMITED = "RATE_LIMITED"
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def limits(*, caller: int | None = None, customer: int | None = None) -> dict[str, str]:
    """Settings by which a caller, or a customer, has so many and no more."""
    found = {}
    for who, burst in (("CALLER", caller), ("CUSTOMER", customer)):
        found[f"{who}_CREATES_MAX_PER_S"] = "0" if burst is None else NEVER
        found[f"{who}_CREATES_BURST"] = str(burst or 1)
    return found


@dataclass(frozen=True)
class Buyer:
    """A customer, or somebody who buys for one, and a disc."""

    shop: RecordShop
    customer_id: str
    disc_id: str

    def request(self, customer_id: str | None = None) -> order_pb2.CreateOrderRequest:
        """One copy, under a new request_id."""
        return order_request(customer_id or self.customer_id, {self.disc_id: 1})

    async def buys(self) -> order_pb2.Order:
        """Place one order, once."""
        return await self.shop.orders.CreateOrder(self.request(), timeout=CALL_TIMEOUT_S)

    async def buys_in_a_batch(
        self, requests: Sequence[order_pb2.CreateOrderRequest]
    ) -> list[order_pb2.CreateOrderResult]:
        """Place several orders at once."""
        batch = order_pb2.BatchCreateOrdersRequest(requests=requests)
        return list((await self.shop.orders.BatchCreateOrders(batch, timeout=CALL_TIMEOUT_S)).results)

    async def buys_in_a_stream(
        self, *messages: Sequence[order_pb2.CreateOrderRequest]
    ) -> list[list[order_pb2.CreateOrderResult]]:
        """Place several messages of orders, each when the one before was answered."""
        stream = self.shop.orders.PlaceOrders(timeout=CALL_TIMEOUT_S)
        answers = []
        for requests in messages:
            await stream.write(order_pb2.PlaceOrdersRequest(requests=requests))
            answers.append([order.result for order in (await stream.read()).results])
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        return answers

    async def is_sold_to(self) -> int:
        """Count the customer's orders."""
        return len([order async for order in self.shop.list_orders()])


async def refused(call: object) -> RateLimited:
    """Await a call that is more than its caller's share, and hold what it says."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call  # type: ignore[misc]
    error = error_from_rpc(raised.value)
    assert isinstance(error, RateLimited)
    assert (error.code, error.reason) == (EXHAUSTED, RATE_LIMITED)
    assert error.retry_after_s is not None
    assert 0 < error.retry_after_s <= 2_000
    assert error.metadata == {"retry_after_ms": str(round(error.retry_after_s * 1_000))}
    return error


def assert_refused(result: order_pb2.CreateOrderResult) -> None:
    """Check an entry that is more than a share."""
    assert (result.error.code, result.error.reason) == (EXHAUSTED.value[0], RATE_LIMITED)
    assert int(result.error.metadata["retry_after_ms"]) > 0


class Opened:
    """Shops with limits, and those who buy in them."""

    def __init__(self, open_locked_shop: OpenLockedShop, stack: AsyncExitStack) -> None:
        self._open = open_locked_shop
        self._stack = stack

    async def buyers(self, limits_of_orders: dict[str, str]) -> tuple[Buyer, Buyer, Buyer]:
        """Ada and Bob, each with a token of their own, and an admin who buys for Ada."""
        locked = self._open({"order": limits_of_orders})
        admin = await self.caller(locked, "admin", "root")
        described = {"name": f"Disc {uuid4()}", "artist": "The Testers", "year_of_release": 1999, "genre": "Rock"}
        disc = await admin.create_disc(catalog_pb2.Disc(price_cents=2_500, **described), opening_stock=10_000)
        ada, bob = [await self._customer(locked, disc.id) for _ in range(2)]
        return ada, bob, Buyer(admin, ada.customer_id, disc.id)

    async def _customer(self, locked: LockedShop, disc_id: str) -> Buyer:
        customer_id = str(uuid4())
        shop = await self.caller(locked, "customer", customer_id)
        await shop.create_customer(person("Ada"), customer_id=customer_id)
        return Buyer(shop, customer_id, disc_id)

    async def caller(self, locked: LockedShop, role: str, subject: str) -> RecordShop:
        """Open the shop for a caller."""
        return await self._stack.enter_async_context(shop_of(locked, role, subject))


@pytest.fixture
async def opened(open_locked_shop: OpenLockedShop) -> AsyncIterator[Opened]:
    async with AsyncExitStack() as stack:
        yield Opened(open_locked_shop, stack)


async def test_a_caller_s_orders_count_however_they_come_and_another_caller_s_do_not(opened: Opened) -> None:
    ada, bob, admin = await opened.buyers(limits(caller=4))
    await ada.buys()
    assert [result.error.reason for result in await ada.buys_in_a_batch([ada.request(), ada.request()])] == ["", ""]
    [[streamed], [late]] = await ada.buys_in_a_stream([ada.request()], [ada.request()])
    assert not streamed.error.reason
    assert_refused(late)
    await refused(ada.buys())
    await refused(ada.buys_in_a_batch([ada.request()]))
    # A stream goes on, and so does everything that is no order.
    for [result] in await ada.buys_in_a_stream([ada.request()], [ada.request()]):
        assert_refused(result)
    assert await ada.is_sold_to() == 4
    # The others are as they were, in whatever way they buy, and for Ada as well.
    for other in (bob, admin):
        await other.buys()
        [result] = await other.buys_in_a_batch([other.request()])
        [[streamed]] = await other.buys_in_a_stream([other.request()])
        assert not result.error.reason
        assert not streamed.error.reason
    assert await bob.is_sold_to() == 3
    assert await ada.is_sold_to() == 4 + 3


async def test_a_customer_s_orders_count_whoever_places_them_and_anothers_do_not(opened: Opened) -> None:
    ada, bob, admin = await opened.buyers(limits(customer=3))
    await ada.buys()
    await admin.buys()
    assert not (await admin.buys_in_a_batch([admin.request()]))[0].error.reason
    await refused(ada.buys())
    await refused(admin.buys())
    mixed = [admin.request(), admin.request(bob.customer_id), admin.request()]
    for results in (await admin.buys_in_a_batch(mixed), (await admin.buys_in_a_stream(mixed))[0]):
        for index in (0, 2):
            assert_refused(results[index])
        assert results[1].order.status == order_pb2.ORDER_STATUS_CONFIRMED
    assert await ada.is_sold_to() == 3
    # The one in the stream was the same as the one in the batch.
    assert await bob.is_sold_to() == 1
    await bob.buys()


async def test_a_batch_is_taken_in_whole_and_paid_for_before_the_next_order(opened: Opened) -> None:
    ada, bob, _ = await opened.buyers(limits(caller=2))
    results = await ada.buys_in_a_batch([ada.request() for _ in range(20)])
    assert {result.order.status for result in results} == {order_pb2.ORDER_STATUS_CONFIRMED}
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ada.buys()
    # Eighteen are owed, and one must be there: each takes a thousand seconds.
    assert error_from_rpc(raised.value).retry_after_s == pytest.approx(19_000, abs=100)
    await bob.buys()


async def test_a_caller_s_new_customers_count_and_another_caller_s_do_not(
    open_locked_shop: OpenLockedShop,
) -> None:
    locked = open_locked_shop({"customer": limits(caller=2)})
    async with shop_of(locked, "admin", "greedy") as greedy, shop_of(locked, "admin", "modest") as modest:

        async def add(shop: RecordShop) -> customer_pb2.Customer:
            request = customer_pb2.CreateCustomerRequest(customer=person("Eve"))
            return await shop.customers.CreateCustomer(request, timeout=CALL_TIMEOUT_S)

        added = [await add(greedy) for _ in range(2)]
        await refused(add(greedy))
        asked = customer_pb2.GetCustomerRequest(id=added[0].id)
        assert (await greedy.customers.GetCustomer(asked, timeout=CALL_TIMEOUT_S)).id == added[0].id
        await add(modest)
        # Also with another token of theirs, and on another connection.
        async with shop_of(locked, "admin", "greedy") as again:
            await refused(add(again))


async def test_where_nobody_signs_in_an_address_is_a_caller(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop(settings={"order": limits(caller=3)})
    disc, customer = await shop.make_disc(stock=10), await shop.make_customer()

    async def buys_at(address: str) -> order_pb2.Order:
        # A connection of its own each time.
        own = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(address, options=own) as channel:
            stub = order_pb2_grpc.OrderServiceStub(channel)
            return await stub.CreateOrder(order_request(customer.id, {disc.id: 1}), timeout=CALL_TIMEOUT_S)

    for _ in range(3):
        await buys_at(shop.local.order_addr)
    await refused(buys_at(shop.local.order_addr))
    async with relayed(shop.local.order_addr) as relay:
        assert (await buys_at(relay.address)).status == order_pb2.ORDER_STATUS_CONFIRMED


async def test_on_one_machine_nobody_is_limited_by_themselves(fresh_shop: FreshShops) -> None:
    shop = await fresh_shop()
    disc, customer = await shop.make_disc(stock=10_000), await shop.make_customer()
    for _ in range(3):
        requests = [order_request(customer.id, {disc.id: 1}) for _ in range(1_000)]
        batch = order_pb2.BatchCreateOrdersRequest(requests=requests)
        results = (await shop.order.BatchCreateOrders(batch, timeout=CALL_TIMEOUT_S)).results
        assert {result.order.status for result in results} == {order_pb2.ORDER_STATUS_CONFIRMED}


async def test_with_a_policy_everybody_is_limited_unless_told_otherwise(opened: Opened) -> None:
    ada, bob, _ = await opened.buyers({})
    # More than the 1,000 that a customer has at once: it takes a minute until there is one again.
    for count in (600, 1_000):
        await ada.buys_in_a_batch([ada.request() for _ in range(count)])
    await refused(ada.buys())
    await bob.buys()
