"""What the clients do, as a table: each kind of action is a function of a shopper, and its share of the load."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from recordshop.order.v1 import order_pb2
from tests.chaos.history import CONFIRMED, Call
from tests.chaos.load_returns import (
    buy_and_give_back,
    give_back,
    parts_at_once,
    race_to_return,
    return_again,
    return_and_cancel,
    return_and_leave,
    return_too_much,
    used_return_id,
)
from tests.chaos.shopper import HURRY_TIMEOUT_S, Shopper
from tests.chaos.wishes import Wish

THINK_MAX_S = 0.03

BATCH_MAX = 8
DELIVERY = (5, 40)
LOSS_MAX = 5
MODES = (order_pb2.ORDER_MODE_SYNC, order_pb2.ORDER_MODE_ASYNC, order_pb2.ORDER_MODE_HYBRID)


async def order(shopper: Shopper) -> None:
    """An order, repeated until it is answered."""
    await shopper.buy(shopper.wish(), "order")


async def queued(shopper: Shopper) -> None:
    """An async order, asked for until it is decided."""
    await shopper.buy(shopper.wish(order_pb2.ORDER_MODE_ASYNC), "queued")


async def queue_and_leave(shopper: Shopper) -> None:
    """An async order by someone who asks once."""
    await shopper.desk.create(shopper.wish(order_pb2.ORDER_MODE_ASYNC), shopper.replica(), "queue and leave")


async def hybrid(shopper: Shopper) -> None:
    """A hybrid order, asked for until it is decided."""
    await shopper.buy(shopper.wish(order_pb2.ORDER_MODE_HYBRID), "hybrid")


async def all_modes(shopper: Shopper) -> None:
    """The same request in each mode, at once."""
    wish = shopper.wish()
    asks = [
        shopper.buy(replace(wish, mode=mode), order_pb2.OrderMode.Name(mode), number % len(shopper.desk.replicas))
        for number, mode in enumerate(MODES)
    ]
    await asyncio.gather(*asks)


async def mixed_batch(shopper: Shopper) -> None:
    """Several orders in one call, each in a mode of its own; what is undecided is asked for again."""
    wishes = [shopper.wish(shopper.rng.choice(MODES)) for _ in range(shopper.rng.randint(2, BATCH_MAX))]
    await _place_all(shopper, wishes, lambda left, replica: shopper.desk.batch(left, replica, "mixed batch"))


async def duplicates(shopper: Shopper) -> None:
    """The same request at once to both replicas."""
    wish = shopper.wish()
    await asyncio.gather(*(shopper.buy(wish, "duplicate", replica) for replica in (*shopper.desk.replicas, 0)))


async def two_payloads(shopper: Shopper) -> None:
    """One request_id with two payloads, at once to both replicas, and the first one again."""
    wish = shopper.wish()
    other = shopper.other_payload(wish)
    first = shopper.replica()
    await asyncio.gather(shopper.buy(wish, "first payload", first), shopper.buy(other, "other payload", 1 - first))
    await shopper.buy(wish, "first payload again")


async def used_id(shopper: Shopper) -> None:
    """Another payload under a request_id that was used before."""
    if wish := shopper.earlier():
        await shopper.buy(shopper.other_payload(wish), "used id")


async def again(shopper: Shopper) -> None:
    """A request of before is sent again."""
    if wish := shopper.earlier():
        await shopper.buy(wish, "again")


async def look(shopper: Shopper) -> None:
    """An order of before is read."""
    if wish := shopper.earlier():
        await shopper.desk.get(wish.order_id, shopper.replica(), "look")


async def cancel(shopper: Shopper) -> None:
    """An order of before is cancelled, by two callers at once."""
    if wish := shopper.earlier():
        await asyncio.gather(*(shopper.cancel(wish, "cancel", replica) for replica in shopper.desk.replicas))


async def buy_and_cancel(shopper: Shopper) -> None:
    """An order is placed, and cancelled as soon as it is there."""
    wish = shopper.wish()
    if (await shopper.buy(wish, "to cancel")).outcome == CONFIRMED:
        await shopper.cancel(wish, "cancel soon")


async def race_to_cancel(shopper: Shopper) -> None:
    """An order is cancelled while it is being placed."""
    wish = shopper.wish()

    async def cancel_it() -> None:
        await asyncio.sleep(shopper.rng.uniform(0, HURRY_TIMEOUT_S))
        await shopper.cancel(wish, "race", 1)

    await asyncio.gather(shopper.buy(wish, "race", 0), cancel_it())


async def leave(shopper: Shopper) -> None:
    """An order is asked for by someone who soon goes away and never asks again."""
    wish, replica = shopper.wish(), shopper.replica()
    await shopper.desk.create(wish, replica, "leave", shopper.rng.uniform(0.002, HURRY_TIMEOUT_S))


async def cancel_and_leave(shopper: Shopper) -> None:
    """An order is cancelled by someone who asks once."""
    if wish := shopper.earlier():
        await shopper.desk.cancel(wish.order_id, shopper.replica(), "cancel once")


async def delivery(shopper: Shopper) -> None:
    """Copies come: a movement, told to both catalogs at once, and repeated until it is answered."""
    await _move(shopper, shopper.rng.randint(*DELIVERY))


async def loss(shopper: Shopper) -> None:
    """Copies go, or too few are there to go."""
    await _move(shopper, -shopper.rng.randint(1, LOSS_MAX))


async def batch(shopper: Shopper) -> None:
    """Several orders in one call, one of them twice and one with two payloads; what is undecided is asked for again."""
    wishes = [shopper.wish() for _ in range(shopper.rng.randint(2, BATCH_MAX))]
    asked = [*wishes, wishes[0], shopper.other_payload(wishes[-1])]
    await _place_all(shopper, asked, lambda left, replica: shopper.desk.batch(left, replica, "batch"))


async def stream(shopper: Shopper) -> None:
    """Orders in several messages of a stream; what is undecided goes into another one."""
    wishes = [shopper.wish() for _ in range(shopper.rng.randint(2, BATCH_MAX))]

    async def place(left: Sequence[Wish], replica: int) -> list[Call]:
        return await shopper.desk.stream([left[::2], left[1::2]] if len(left) > 1 else [left], replica, "stream")

    await _place_all(shopper, wishes, place)


@dataclass(frozen=True)
class Kind:
    """An action, and how often it is chosen."""

    act: Callable[[Shopper], Awaitable[None]]
    weight: int


KINDS: Mapping[str, Kind] = {
    "order": Kind(order, 30),
    "queued": Kind(queued, 8),
    "queue_and_leave": Kind(queue_and_leave, 5),
    "hybrid": Kind(hybrid, 6),
    "all_modes": Kind(all_modes, 5),
    "mixed_batch": Kind(mixed_batch, 3),
    "duplicates": Kind(duplicates, 14),
    "two_payloads": Kind(two_payloads, 8),
    "used_id": Kind(used_id, 4),
    "again": Kind(again, 5),
    "look": Kind(look, 5),
    "cancel": Kind(cancel, 6),
    "buy_and_cancel": Kind(buy_and_cancel, 8),
    "race_to_cancel": Kind(race_to_cancel, 8),
    "leave": Kind(leave, 6),
    "cancel_and_leave": Kind(cancel_and_leave, 4),
    "give_back": Kind(give_back, 7),
    "buy_and_give_back": Kind(buy_and_give_back, 6),
    "parts_at_once": Kind(parts_at_once, 4),
    "return_and_cancel": Kind(return_and_cancel, 4),
    "race_to_return": Kind(race_to_return, 3),
    "return_again": Kind(return_again, 4),
    "used_return_id": Kind(used_return_id, 4),
    "return_too_much": Kind(return_too_much, 2),
    "return_and_leave": Kind(return_and_leave, 4),
    "delivery": Kind(delivery, 4),
    "loss": Kind(loss, 1),
    "batch": Kind(batch, 5),
    "stream": Kind(stream, 4),
}


async def shop_until(shopper: Shopper, over: asyncio.Event, weights: Mapping[str, int] | None) -> None:
    """Acts and thinks in turns until it is over. `weights` are other ones than the kinds' own; others do not happen."""
    chosen = weights or {name: kind.weight for name, kind in KINDS.items()}
    names = sorted(chosen)
    while not over.is_set():
        [name] = shopper.rng.choices(names, [chosen[name] for name in names])
        await KINDS[name].act(shopper)
        await asyncio.sleep(shopper.rng.uniform(0, THINK_MAX_S))


async def _move(shopper: Shopper, delta: int) -> None:
    movement_id = f"{shopper.rng.getrandbits(64):x}"
    lines = ((shopper.rng.choice(shopper.shelf.scarce), delta),)
    asks = (
        shopper.until_decided(lambda replica: shopper.desk.move(movement_id, lines, replica, "move"), replica)
        for replica in shopper.desk.replicas
    )
    await asyncio.gather(*asks)


async def _place_all(
    shopper: Shopper, wishes: Sequence[Wish], place: Callable[[Sequence[Wish], int], Awaitable[list[Call]]]
) -> None:
    left = list(wishes)

    async def ask(replica: int) -> Call:
        nonlocal left
        calls = await place(left, replica)
        undecided = [(wish, call) for wish, call in zip(left, calls, strict=True) if not call.is_decided]
        left = [wish for wish, _ in undecided]
        return undecided[0][1] if undecided else calls[0]

    await shopper.until_decided(ask)
