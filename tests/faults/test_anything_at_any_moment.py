"""Services are killed and frozen at random, as they come, under load."""

import asyncio
import random
from uuid import uuid4

from local_shop.processes import ServiceProcess
from recordshop.errors import ShopError
from recordshop.order.v1 import order_pb2
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.stage import PATIENCE_S, Stage

CLIENTS = 12
FAULTS = 8
ANSWERS_BETWEEN_FAULTS = 25
CANCELLED_SHARE = 0.25
RETURNED_SHARE = 0.35
FROZEN_MAX_S = 1.5


class Crowd:
    """Clients who buy, sometimes return a part or cancel, and remember what they were told."""

    def __init__(self, stage: Stage, discs: list[str]) -> None:
        self.stage = stage
        self.discs = discs
        self.told: dict[str, Answer] = {}
        self.answers = asyncio.Semaphore(0)
        self.stop = asyncio.Event()

    async def buy(self) -> None:
        """Buys until it is told to stop."""
        while not self.stop.is_set():
            request_id = f"anything-{uuid4()}"
            lines = {disc: random.randint(1, 3) for disc in random.sample(self.discs, random.randint(1, 2))}
            answer = await answer_of(self.stage.place_at_last(request_id, lines))
            if isinstance(answer, order_pb2.Order) and random.random() < RETURNED_SHARE:
                disc = random.choice(list(lines))
                answer = await self.stage.take_back_at_last(answer.id, {disc: random.randint(1, lines[disc])})
            if isinstance(answer, order_pb2.Order) and random.random() < CANCELLED_SHARE:
                answer = await self.stage.cancel_at_last(answer.id)
            self.told[request_id] = answer
            self.answers.release()

    async def wait_for_answers(self) -> None:
        """Waits until the shop has answered a few more calls."""
        for _ in range(ANSWERS_BETWEEN_FAULTS):
            await self.answers.acquire()


async def strike(stage: Stage, process: ServiceProcess) -> None:
    """Kills a process, or freezes it for a while."""
    if random.random() < 0.6:
        process.kill()
        await stage.start(process)
        return
    process.pause()
    await asyncio.sleep(random.uniform(0, FROZEN_MAX_S))
    process.resume()


async def test_whatever_is_killed_or_frozen_whenever_the_books_agree(stage: Stage) -> None:
    discs = [await stage.disc(stock=stock) for stock in (60, 200, 100_000)]
    crowd = Crowd(stage, discs)
    clients = [asyncio.create_task(crowd.buy()) for _ in range(CLIENTS)]
    for _ in range(FAULTS):
        await crowd.wait_for_answers()
        await strike(stage, random.choice([stage.order, stage.order, stage.catalog, stage.customer]))
    crowd.stop.set()
    await asyncio.gather(*clients)

    await stage.books.nothing_open()
    for request_id, answer in crowd.told.items():
        order = await stage.client.get_order(stage.order_id(request_id))
        if isinstance(answer, ShopError):
            assert (told(answer), status_of(order)) == ((order.id, "OutOfStock"), "REJECTED")
        else:
            assert order == answer
    await stage.promise_kept(*discs)
    # And whatever other tests did to the same shop before.
    everything = stage.shop.order.AuditStock(order_pb2.AuditStockRequest(), timeout=PATIENCE_S)
    verdicts = {audit.disc_id: audit.verdict async for audit in everything}
    assert verdicts.keys() > set(discs)
    assert set(verdicts.values()) == {order_pb2.AUDIT_VERDICT_AGREES}
