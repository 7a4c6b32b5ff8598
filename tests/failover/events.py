"""What happens to the cluster, one event after the other, each under load."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local_shop.errors import LocalShopError
from tests.failover.load import Buyers
from tests.failover.node import Node
from tests.failover.patroni_cluster import PatroniCluster

# Orders acknowledged before an event, after it, and between a primary's return and the next event.
ORDERS_BETWEEN = 100
ACKNOWLEDGE_TIMEOUT_S = 120.0
NEW_PRIMARY_TIMEOUT_S = 120.0
WHOLE_TIMEOUT_S = 180.0
POLL_S = 0.2


@dataclass(frozen=True)
class Happened:
    """An event from its beginning until the cluster was whole again; moments of the event loop's clock."""

    event: str
    start_s: float
    end_s: float
    primary_before: str
    primary_after: str


class Stage:
    """The cluster and the buyers, to whom things happen."""

    def __init__(self, cluster: PatroniCluster, buyers: Buyers) -> None:
        self._cluster = cluster
        self._buyers = buyers

    async def let_happen(self, event: str) -> Happened:
        """Let one of EVENTS happen; return when orders are acknowledged again and the cluster is whole again."""
        loop = asyncio.get_running_loop()
        await self._acknowledged()
        before = await asyncio.to_thread(self._cluster.primary)
        start_s = loop.time()
        await EVENTS[event](self)
        await self._acknowledged()
        await _until(self._cluster.is_whole, WHOLE_TIMEOUT_S, "The cluster is not whole again")
        await self._acknowledged()
        after = await asyncio.to_thread(self._cluster.primary)
        return Happened(event, start_s, loop.time(), before.name, after.name)

    async def kill_node(self) -> None:
        """The primary's machine is lost, another one takes over, and the machine comes back."""
        old = await asyncio.to_thread(self._cluster.primary)
        old.kill()
        await self._replaced(old)
        old.start()

    async def kill_postgres(self) -> None:
        """The primary's PostgreSQL crashes; Patroni starts it again, or hands over."""
        primary = await asyncio.to_thread(self._cluster.primary)
        primary.kill_postgres()

    async def freeze_primary(self) -> None:
        """The primary freezes, another one takes over, and the old one wakes up and still believes in itself."""
        old = await asyncio.to_thread(self._cluster.primary)
        old.freeze()
        try:
            await self._replaced(old)
        finally:
            old.thaw()

    async def freeze_patroni(self) -> None:
        """The primary's Patroni freezes, and its PostgreSQL goes on as the primary that it no longer is."""
        old = await asyncio.to_thread(self._cluster.primary)
        old.freeze_patroni()
        try:
            await self._replaced(old)
        finally:
            old.thaw()

    async def switch_over(self) -> None:
        """The operator makes another node the primary."""
        await asyncio.to_thread(self._cluster.switch_over)

    async def _replaced(self, old: Node) -> None:
        await _until(lambda: self._cluster.has_other_primary(old), NEW_PRIMARY_TIMEOUT_S, "There is no new primary")
        await self._acknowledged()

    async def _acknowledged(self) -> None:
        await self._buyers.wait_for_more(ORDERS_BETWEEN, ACKNOWLEDGE_TIMEOUT_S)


async def _until(is_so: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Wait for what takes at most some seconds to be told, so that Ctrl-C need not wait for all of the time."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not await asyncio.to_thread(is_so):
        if loop.time() > deadline_s:
            raise LocalShopError(f"{otherwise} after {timeout_s:.0f} s.")
        await asyncio.sleep(POLL_S)


EVENTS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "node killed": Stage.kill_node,
    "PostgreSQL killed": Stage.kill_postgres,
    "primary frozen and thawed": Stage.freeze_primary,
    "Patroni frozen and thawed": Stage.freeze_patroni,
    "switchover": Stage.switch_over,
}
