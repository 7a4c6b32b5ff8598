import asyncio

import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2
from tests.unit.recordshop.fake_shop import FakeShop, Silence


async def test_only_the_services_that_are_called_need_an_address(fake: FakeShop) -> None:
    fake.script = [order_pb2.Order(id="o1")]

    async with RecordShop(order=fake.address) as shop:
        assert (await shop.get_order("o1")).id == "o1"
        with pytest.raises(RuntimeError, match=r"RecordShop\(catalog="):
            await shop.create_disc(catalog_pb2.Disc())
        with pytest.raises(RuntimeError, match=r"RecordShop\(customer="):
            await shop.create_customer(customer_pb2.Customer())


async def test_a_shop_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await RecordShop(order="127.0.0.1:1").get_order("o1")


async def test_the_environments_proxy_does_not_come_between(fake: FakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.script = [order_pb2.Order(id="o1")]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async with RecordShop(order=fake.address) as shop:
        assert (await shop.get_order("o1")).id == "o1"


async def test_leaving_the_shop_ends_what_is_under_way(fake: FakeShop) -> None:
    fake.script = [Silence()]
    async with RecordShop(order=fake.address) as shop:
        order = asyncio.create_task(shop.get_order("o1", timeout_s=60))
        await fake.called.wait()

    with pytest.raises(asyncio.CancelledError):
        await order
