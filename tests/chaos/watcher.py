"""Somebody who follows the stock of all discs of a spell, at one replica and then at the other, whatever happens to them."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

from recordshop.client import RecordShop
from recordshop.errors import RevisionTooOld, ShopError
from tests.chaos.books import newest_revisions
from tests.chaos.history import History, Seen
from tests.chaos.stage import Stage

# Short, so that streams end and begin all the time, and one that hangs at a frozen process does not hang for long.
STREAM_MAX_S = 3.0
REST_S = 0.1
POLL_S = 0.05


class Watcher:
    """Writes down what it is told, and goes on from there."""

    def __init__(self, history: History, discs: Sequence[str], shops: Sequence[RecordShop]) -> None:
        self.told: dict[str, list[Seen]] = {disc: [] for disc in discs}
        self._shops = shops
        history.watched.append(self.told)

    async def follow(self) -> None:
        """Never returns; its owner cancels it."""
        for shop in cycle(self._shops):
            try:
                await self._follow(shop, random.uniform(0.1, STREAM_MAX_S))
            except RevisionTooOld as error:
                # It was away for too long, and begins anew: what follows is a snapshot.
                for disc in error.disc_ids:
                    self.told[disc].append(Seen(None, 0))
            except ShopError:
                await asyncio.sleep(REST_S)

    async def _follow(self, shop: RecordShop, timeout_s: float) -> None:
        revisions = {disc: told[-1].revision if told else 0 for disc, told in self.told.items()}
        since = {disc: revision for disc, revision in revisions.items() if revision is not None}
        async for change in shop.watch_stock(self.told, since=since, timeout_s=timeout_s):
            self.told[change.disc_id].append(Seen(change.revision, change.stock))

    def has_all(self, newest: dict[str, int]) -> bool:
        """Tell whether it was told the last move of each disc."""
        return newest == {disc: told[-1].revision if told else 0 for disc, told in self.told.items()}


@asynccontextmanager
async def watchers(history: History, stage: Stage, discs: Sequence[str], count: int) -> AsyncIterator[list[Watcher]]:
    """Has so many follow the discs from here to the end of the block, each beginning at another replica."""
    addresses = [local.catalog_addr for local in stage.replicas]
    async with RecordShop(catalog=addresses[0]) as one, RecordShop(catalog=addresses[1]) as other:
        watching = [Watcher(history, discs, [one, other] if number % 2 else [other, one]) for number in range(count)]
        tasks = [asyncio.create_task(watcher.follow()) for watcher in watching]
        try:
            yield watching
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def told_all(watching: Sequence[Watcher], stage: Stage, discs: Sequence[str], timeout_s: float) -> None:
    """Waits until everybody was told everything, or the time is up; the checks say which."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    newest = await newest_revisions(stage, discs)
    while True:
        if all(watcher.has_all(newest) for watcher in watching) or asyncio.get_running_loop().time() > deadline_s:
            return
        await asyncio.sleep(POLL_S)
