"""Clients who buy all the time, and ask again with the same request_id until they are answered."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from local_shop.sale import gathered_crowd, make_disc
from local_shop.shop import LocalShop
from recordshop.client import RecordShop, RetryPolicy, ShopError
from recordshop.order.v1 import order_pb2
from tests.failover.counting import Acknowledged

CLIENTS = 12
DISCS = 10
OPENING_STOCK = 1_000_000
LINES_MAX = 2
QUANTITY_MAX = 2
# Between two orders of a client's: the machine has cores for three nodes and the shop, not for a benchmark.
PAUSE_S = 0.02
# Every so often a client asks again although it was answered, and must be answered the same.
REPLAY_SHARE = 0.2
# Nobody gives up while a node is replaced.
PATIENCE_S = 180.0
PATIENT = RetryPolicy(attempts_max=10_000, attempt_timeout_s=3.0, backoff_first_s=0.05, backoff_max_s=0.25)


class Buyers:
    """Buys from several discs in a shop that is open; what was acknowledged is kept in its order."""

    def __init__(self, shop: RecordShop, *, customer_ids: Sequence[str], disc_ids: Sequence[str]) -> None:
        self.acknowledged: list[Acknowledged] = []
        # Answers that nobody should get, however the databases fare, by their kind.
        self.wrong_answers: Counter[str] = Counter()
        self._shop = shop
        self._customer_ids = customer_ids
        self._disc_ids = disc_ids
        self._progress = asyncio.Condition()

    async def wait_for_more(self, count: int, timeout_s: float) -> None:
        """Wait until so many orders more were acknowledged than now; TimeoutError if they are not in time."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(timeout_s), self._progress:
            await self._progress.wait_for(lambda: len(self.acknowledged) >= wanted)

    @asynccontextmanager
    async def buying(self) -> AsyncIterator[None]:
        """Buy inside; at the end each client's last order is answered, or its patience over."""
        stop = asyncio.Event()
        clients = [asyncio.create_task(self._buy_until(stop)) for _ in range(CLIENTS)]
        try:
            yield
        except BaseException:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            raise
        stop.set()
        await asyncio.gather(*clients)

    async def _buy_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._buy()
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_S))

    async def _buy(self) -> None:
        request_id, customer_id = str(uuid4()), random.choice(self._customer_ids)
        discs = random.sample(self._disc_ids, random.randint(1, LINES_MAX))
        lines = {disc_id: random.randint(1, QUANTITY_MAX) for disc_id in discs}
        try:
            order = await self._ask(customer_id, lines, request_id)
            if random.random() < REPLAY_SHARE and await self._ask(customer_id, lines, request_id) != order:
                self.wrong_answers["another order for the same request"] += 1
        except ShopError as error:
            self.wrong_answers[type(error).__name__] += 1

    async def _ask(self, customer_id: str, lines: dict[str, int], request_id: str) -> order_pb2.Order:
        order = await self._shop.create_order(customer_id, lines, request_id=request_id, timeout_s=PATIENCE_S)
        if order.status == order_pb2.ORDER_STATUS_CONFIRMED:
            self.acknowledged.append(Acknowledged(asyncio.get_running_loop().time(), order))
        else:
            self.wrong_answers[order_pb2.OrderStatus.Name(order.status)] += 1
        async with self._progress:
            self._progress.notify_all()
        return order


@asynccontextmanager
async def gathered_buyers(local: LocalShop) -> AsyncIterator[Buyers]:
    """Register customers, put discs on sale, and open the shop for buyers."""
    async with gathered_crowd(local) as crowd:
        discs = [await make_disc(crowd.shop, f"Failover {number}", OPENING_STOCK) for number in range(DISCS)]
        async with RecordShop(order=local.order_addr, retry=PATIENT) as shop:
            yield Buyers(shop, customer_ids=crowd.customer_ids, disc_ids=discs)
