"""The audit of a running shop, again and again, as seldom as it is expensive."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import grpc

from local_shop.shop_env import ShopEnv
from recordshop.client import RecordShop
from recordshop.order.v1 import order_pb2

TIMEOUT_S = 120.0
INTERVAL_MIN_S = 30.0
# The audit reads all orders and the whole ledger: of the time between two, it may take this share.
SHARE_MAX = 0.05


@dataclass
class SpotAudit:
    """What the last audit said, in words; `agrees` is None while there is none, or if it was no answer."""

    told: str = "audit: running ..."
    agrees: bool | None = None
    _ended_s: float | None = None

    @property
    def line(self) -> str:
        """One line, with its age."""
        age = "" if self._ended_s is None else f", {time.monotonic() - self._ended_s:.0f} s ago"
        return self.told + age

    async def run(self, env: ShopEnv, timeout_s: float = TIMEOUT_S) -> None:
        """Audit all discs once."""
        verdicts: dict[int, int] = {}
        try:
            async with RecordShop(order=env.order_addr) as shop:
                async for disc in shop.orders.AuditStock(order_pb2.AuditStockRequest(), timeout=timeout_s):
                    verdicts[disc.verdict] = verdicts.get(disc.verdict, 0) + 1
        except grpc.aio.AioRpcError as error:
            self.told, self.agrees = f"audit: no answer ({error.code().name})", None
        else:
            wrong = verdicts.get(order_pb2.AUDIT_VERDICT_DISAGREES, 0)
            still_open = verdicts.get(order_pb2.AUDIT_VERDICT_OPEN, 0)
            self.agrees = not wrong
            self.told = f"audit {'OK' if self.agrees else 'WRONG'}: {sum(verdicts.values()):,} discs, {wrong} disagree"
            self.told += f", {still_open} have open orders" if still_open else ""
        self._ended_s = time.monotonic()

    @asynccontextmanager
    async def repeated(self, env: ShopEnv) -> AsyncIterator[None]:
        """Own a task that audits now and again inside the block."""
        task = asyncio.create_task(self._repeat(env))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _repeat(self, env: ShopEnv) -> None:
        while True:
            began_s = time.monotonic()
            await self.run(env)
            await asyncio.sleep(max(INTERVAL_MIN_S, (time.monotonic() - began_s) / SHARE_MAX))
