"""What the clients do with copies that they have bought: they bring some of them back."""

import asyncio

from tests.chaos.history import CONFIRMED
from tests.chaos.shopper import HURRY_TIMEOUT_S, Shopper


async def give_back(shopper: Shopper) -> None:
    """A part of an order of before comes back, told to both replicas at once."""
    if returning := shopper.part_of_earlier():
        await asyncio.gather(*(shopper.give_back(returning, "return", replica) for replica in shopper.desk.replicas))


async def buy_and_give_back(shopper: Shopper) -> None:
    """An order is placed, a part of it comes back, and then all that is left, to be written off."""
    wish = shopper.wish()
    if (await shopper.buy(wish, "to return")).outcome == CONFIRMED:
        await shopper.give_back(shopper.part_of(wish), "return soon")
        await shopper.give_back(shopper.rest_of(wish), "return the rest")


async def parts_at_once(shopper: Shopper) -> None:
    """Several parts of one order come back at once, together more than it may have."""
    if wish := shopper.earlier():
        parts = [shopper.part_of(wish) for _ in range(3)]
        await asyncio.gather(*(shopper.give_back(part, "parts at once") for part in parts))


async def return_and_cancel(shopper: Shopper) -> None:
    """A part of an order comes back while the whole is cancelled."""
    if wish := shopper.earlier():
        await asyncio.gather(
            shopper.give_back(shopper.part_of(wish), "return beside a cancel"),
            shopper.cancel(wish, "cancel beside a return"),
        )


async def race_to_return(shopper: Shopper) -> None:
    """A part of an order comes back while it is being placed."""
    wish = shopper.wish()

    async def return_it() -> None:
        await asyncio.sleep(shopper.rng.uniform(0, HURRY_TIMEOUT_S))
        await shopper.give_back(shopper.part_of(wish), "return race", 1)

    await asyncio.gather(shopper.buy(wish, "return race", 0), return_it())


async def return_again(shopper: Shopper) -> None:
    """A return of before is asked for again."""
    if returning := shopper.earlier_return():
        await shopper.give_back(returning, "return again")


async def used_return_id(shopper: Shopper) -> None:
    """One request_id with two returns, at once to both replicas, and the first one again."""
    if first := shopper.part_of_earlier():
        other = shopper.other_return(first)
        await asyncio.gather(shopper.give_back(first, "first return", 0), shopper.give_back(other, "other return", 1))
        await shopper.give_back(first, "first return again")


async def return_too_much(shopper: Shopper) -> None:
    """More copies come back than were sold."""
    if wish := shopper.earlier():
        await shopper.give_back(shopper.too_much_of(wish), "too much")


async def return_and_leave(shopper: Shopper) -> None:
    """A part comes back from someone who soon goes away and asks once."""
    if returning := shopper.part_of_earlier():
        timeout_s = shopper.rng.uniform(0.002, HURRY_TIMEOUT_S)
        await shopper.desk.take_back(returning, shopper.replica(), "return and leave", timeout_s)
