"""A client of the shop: who asks again until there is an answer, as the protocol wants it from its clients, or goes away."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from recordshop.order.v1 import order_pb2
from tests.chaos.desk import Desk
from tests.chaos.history import Call
from tests.chaos.wishes import Lines, Return, Wish

PATIENCE_S = 15.0
BACKOFF_MAX_S = 0.3
REMEMBERED_MAX = 40
QUANTITY_MAX = 3
OTHER_QUANTITIES_SHARE = 0.7
WRITTEN_OFF_SHARE = 0.4
# As long as somebody stays who goes away at once.
HURRY_TIMEOUT_S = 0.03


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
        self._returns: deque[Return] = deque(maxlen=REMEMBERED_MAX)

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

    def part_of(self, wish: Wish) -> Return:
        """Some copies of an order, of one line or of several, to come back under a request_id of their own."""
        lines = self.rng.sample(wish.lines, self.rng.randint(1, len(wish.lines)))
        part = tuple((disc, self.rng.randint(1, quantity)) for disc, quantity in sorted(lines, key=_disc_id))
        return self._returning(Return(wish.order_id, self.new_id("return"), part, self._is_written_off()))

    def part_of_earlier(self) -> Return | None:
        """A part of a wish of before, if there is any."""
        wish = self.earlier()
        return self.part_of(wish) if wish else None

    def rest_of(self, wish: Wish) -> Return:
        """All that is left of an order, to be written off: without lines, and onto the shelf, it would be a cancel."""
        return self._returning(Return(wish.order_id, self.new_id("rest"), (), is_written_off=True))

    def too_much_of(self, wish: Wish) -> Return:
        """More copies than an order has."""
        lines = tuple((disc, quantity + 1) for disc, quantity in wish.lines)
        return Return(wish.order_id, self.new_id("too-much"), lines, self._is_written_off())

    def other_return(self, returning: Return) -> Return:
        """The same request_id with other quantities, or for another place."""
        if self.rng.random() < OTHER_QUANTITIES_SHARE:
            return replace(returning, is_written_off=not returning.is_written_off)
        lines = tuple((disc, quantity % QUANTITY_MAX + 1) for disc, quantity in returning.lines)
        return replace(returning, lines=lines)

    def earlier_return(self) -> Return | None:
        """A return of before, if there is any."""
        return self.rng.choice(self._returns) if self._returns else None

    def _returning(self, returning: Return) -> Return:
        self._returns.append(returning)
        return returning

    def _is_written_off(self) -> bool:
        return self.rng.random() < WRITTEN_OFF_SHARE

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

    async def give_back(self, returning: Return, way: str, first: int | None = None) -> Call:
        """CancelOrder for a part until it is decided."""
        return await self.until_decided(lambda replica: self.desk.take_back(returning, replica, way), first)


def _disc_id(line: tuple[str, int]) -> UUID:
    return UUID(line[0])
