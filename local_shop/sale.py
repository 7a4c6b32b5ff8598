"""The load: a paced sale that keeps its schedule whatever the answers do, and a burst as fast as so many clients can."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from local_shop.people import random_cpf
from local_shop.shop import LocalShop
from local_shop.tally import Tally
from recordshop.catalog.v1 import catalog_pb2
from recordshop.client import OutOfStock, RecordShop, ShopError
from recordshop.customer.v1 import customer_pb2
from recordshop.order.v1 import order_pb2

CUSTOMERS = 100
# An order that has no answer by then has failed. It bounds how many can be under way at once: this times the rate.
ORDER_TIMEOUT_S = 15.0
PROGRESS_INTERVAL_S = 0.25
# What an order says that was refused after its caller had been answered.
OUT_OF_STOCK = "OUT_OF_STOCK"

Progress = Callable[[Tally], None]


@dataclass(frozen=True)
class Crowd:
    """Customers, who take turns, and the shop they buy in."""

    shop: RecordShop
    customer_ids: Sequence[str]

    async def buy(self, number: int, disc_id: str, tally: Tally, *, since_s: float) -> None:
        """Buy one copy, as the order of that number, and note in the tally what became of it, and how long it took."""
        # Made before the first attempt and kept over all of them: the same order however often it is asked for.
        request_id = str(uuid4())
        customer_id = self.customer_ids[number % len(self.customer_ids)]
        try:
            order = await self.shop.create_order(
                customer_id, {disc_id: 1}, request_id=request_id, timeout_s=ORDER_TIMEOUT_S
            )
            # Whatever mode the shop is in: an order has its outcome when it is decided.
            if order.status == order_pb2.ORDER_STATUS_PENDING:
                *_, order = [now async for now in self.shop.watch_order(order.id, timeout_s=ORDER_TIMEOUT_S)]
        except OutOfStock:
            tally.refused += 1
        except ShopError as error:
            tally.failed += 1
            tally.first_failure = tally.first_failure or str(error)
        else:
            if order.status == order_pb2.ORDER_STATUS_CONFIRMED:
                tally.confirmed.add(UUID(order.id))
            elif order.status == order_pb2.ORDER_STATUS_REJECTED and order.reason == OUT_OF_STOCK:
                tally.refused += 1
            else:
                tally.failed += 1
        tally.took(asyncio.get_running_loop().time() - since_s)


@asynccontextmanager
async def gathered_crowd(local: LocalShop) -> AsyncIterator[Crowd]:
    """Open the shop and register its customers."""
    async with RecordShop(catalog=local.catalog_addr, customer=local.customer_addr, order=local.order_addr) as shop:
        made = await asyncio.gather(*(shop.create_customer(_somebody(number)) for number in range(CUSTOMERS)))
        yield Crowd(shop, [customer.id for customer in made])


async def make_disc(shop: RecordShop, name: str, opening_stock: int) -> str:
    """Put a disc on sale and return its id."""
    disc = catalog_pb2.Disc(name=name, artist="Hohpe", year_of_release=2022, genre="Indie", price_cents=9_990)
    return (await shop.create_disc(disc, opening_stock=opening_stock)).id


async def paced_sale(crowd: Crowd, disc_id: str, *, orders: int, rate: int, tally: Tally, progress: Progress) -> None:
    """Place `orders` orders, `rate` a second, each at its own moment, and return when all have their outcome.

    The schedule does not wait for answers, and latencies count from the scheduled moment: a shop that stalls is not
    spared the orders of the meantime.
    """
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    async with _shown(tally, progress), asyncio.TaskGroup() as buyers:
        for number in range(orders):
            due_s = start_s + number / rate
            await asyncio.sleep(due_s - loop.time())
            buyers.create_task(crowd.buy(number, disc_id, tally, since_s=due_s))


async def burst(crowd: Crowd, disc_id: str, *, clients: int, seconds: float, tally: Tally, progress: Progress) -> float:
    """Let `clients` clients order for so long, each again as soon as it has its answer; return the seconds it took."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    numbers = itertools.count()

    async def client() -> None:
        while (now_s := loop.time()) < start_s + seconds:
            await crowd.buy(next(numbers), disc_id, tally, since_s=now_s)

    async with _shown(tally, progress), asyncio.TaskGroup() as buyers:
        for _ in range(clients):
            buyers.create_task(client())
    return loop.time() - start_s


@asynccontextmanager
async def _shown(tally: Tally, progress: Progress) -> AsyncIterator[None]:
    async def show() -> None:
        while True:
            progress(tally)
            await asyncio.sleep(PROGRESS_INTERVAL_S)

    showing = asyncio.create_task(show())
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        progress(tally)


def _somebody(number: int) -> customer_pb2.Customer:
    return customer_pb2.Customer(
        document=random_cpf(),
        name=f"Visitor {number + 1}",
        birth_date="1990-12-31",
        email=f"visitor{number + 1}@example.com",
        phone="+55 11 91234-5678",
        active=True,
    )
