"""A client of the shop: who asks again until there is an answer, as the protocol wants it from its clients, or goes away."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from recordshop.order.v1 import order_pb2
from tests.chaos.desk import Desk
from tests.chaos.history import Call, Lines, Wish

PATIENCE_S = 15.0
BACKOFF_MAX_S = 0.3
REMEMBERED_MAX = 40
QUANTITY_MAX = 3
OTHER_QUANTITIES_SHARE = 0.7


@dataclass(frozen=True)
class Shelf:
    """What is on sale: discs that sell out again and again, and one that never does."""

    scarce: Sequence[str]
    plenty: str


class Shopper:
    """One client with a customer of its own; all its choices follow from its seed."""

    def __init__(self, desk: Desk, shelf: Shelf, customer_id: str, seed: str) -> None:
        self.desk = desk
        self.shelf = shelf
        # What is asked for follows from the first alone; how often it has to be asked for is nobody's choice.
        self.rng = random.Random(seed)
        self._patience = random.Random(f"{seed} again")
        self._customer_id = customer_id
        self._count = 0
        self._wishes: deque[Wish] = deque(maxlen=REMEMBERED_MAX)

    def new_id(self, prefix: str) -> str:
        """An id that nobody had before."""
        self._count += 1
        return f"{prefix}-{self._count}"

    def lines(self) -> Lines:
        """One disc, mostly a scarce one, or several."""
        count = self.rng.choice((1, 1, 1, 2, 3))
        discs = [*self.shelf.scarce, self.shelf.plenty]
        weights = [4] * len(self.shelf.scarce) + [1]
        chosen = {self.rng.choices(discs, weights)[0] for _ in range(count)}
        return tuple((disc, self.rng.randint(1, QUANTITY_MAX)) for disc in sorted(chosen, key=UUID))

    def wish(self, mode: order_pb2.OrderMode.ValueType = order_pb2.ORDER_MODE_SYNC) -> Wish:
        """Something to buy, under a request_id of its own."""
        wish = Wish(self._customer_id, self.new_id("order"), self.lines(), mode)
        self._wishes.append(wish)
        return wish

    def other_payload(self, wish: Wish) -> Wish:
        """The same request_id with another payload: other quantities mostly, or other discs."""
        lines = self.lines()
        if lines == wish.lines or self.rng.random() < OTHER_QUANTITIES_SHARE:
            lines = tuple((disc, quantity % QUANTITY_MAX + 1) for disc, quantity in wish.lines)
        return Wish(wish.customer_id, wish.request_id, lines)

    def earlier(self) -> Wish | None:
        """A wish of before, if there is any."""
        return self.rng.choice(self._wishes) if self._wishes else None

    def replica(self) -> int:
        """Whom to ask."""
        return self.rng.choice(self.desk.replicas)

    async def until_decided(self, ask: Callable[[int], Awaitable[Call]], first: int | None = None) -> Call:
        """Asks one replica or the other until the answer says what became of it, or patience ends; answers the last call."""
        deadline_s = self.desk.history.now_s() + PATIENCE_S
        replica = self._patience.choice(self.desk.replicas) if first is None else first
        while True:
            call = await ask(replica)
            if call.is_decided or self.desk.history.now_s() > deadline_s:
                return call
            await asyncio.sleep(self._patience.uniform(0, BACKOFF_MAX_S))
            replica = self._patience.choice(self.desk.replicas)

    async def buy(self, wish: Wish, way: str, first: int | None = None) -> Call:
        """CreateOrder until it is decided."""
        return await self.until_decided(lambda replica: self.desk.create(wish, replica, way), first)

    async def cancel(self, wish: Wish, way: str, first: int | None = None) -> Call:
        """CancelOrder until it is decided."""
        return await self.until_decided(lambda replica: self.desk.cancel(wish.order_id, replica, way), first)
