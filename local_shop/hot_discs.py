"""Which discs sell right now, and what is left of them: asked of the running services."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

import grpc

from local_shop.shop_env import ShopEnv
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc, stock_pb2, stock_pb2_grpc
from recordshop.channels import open_channel
from recordshop.order.v1 import order_pb2, order_pb2_grpc

TIMEOUT_S = 2.0
RECENT_ORDERS = 100
DISCS_MAX = 6
NAMES_KEPT_MAX = 1_000


@dataclass(frozen=True)
class HotDisc:
    """A disc, how many of the newest orders are for it, and its copies."""

    disc_id: str
    name: str
    recent_orders: int
    opening: int
    held: int
    left: int


class HotDiscs:
    """Asks what the newest orders are for. As a context manager it keeps its connections open inside."""

    def __init__(self, env: ShopEnv) -> None:
        self._catalog_channel = open_channel(env.catalog_addr)
        self._order_channel = open_channel(env.order_addr)
        self._names: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._catalog_channel.close()
        await self._order_channel.close()

    async def read(self) -> list[HotDisc] | None:
        """Return the hottest discs, the most wanted first; None if a service does not answer."""
        try:
            return await self._read()
        except grpc.aio.AioRpcError:
            return None

    async def _read(self) -> list[HotDisc]:
        orders = order_pb2_grpc.OrderServiceStub(self._order_channel)
        newest = await orders.ListOrders(order_pb2.ListOrdersRequest(page_size=RECENT_ORDERS), timeout=TIMEOUT_S)
        wanted = Counter(line.disc_id for order in newest.orders for line in order.lines)
        hottest = dict(wanted.most_common(DISCS_MAX))
        if not hottest:
            return []
        stock = stock_pb2_grpc.StockServiceStub(self._catalog_channel)
        request = stock_pb2.ListStockBalancesRequest(disc_ids=list(hottest))
        balances = await stock.ListStockBalances(request, timeout=TIMEOUT_S)
        by_id = {balance.disc_id: balance for balance in balances.balances}
        return [
            HotDisc(
                disc_id=disc_id,
                name=await self._name(disc_id),
                recent_orders=count,
                opening=by_id[disc_id].opening + by_id[disc_id].moved,
                held=by_id[disc_id].held,
                left=by_id[disc_id].left,
            )
            for disc_id, count in hottest.items()
            if disc_id in by_id
        ]

    async def _name(self, disc_id: str) -> str:
        if disc_id not in self._names:
            if len(self._names) >= NAMES_KEPT_MAX:
                self._names.clear()
            catalog = catalog_pb2_grpc.CatalogServiceStub(self._catalog_channel)
            try:
                disc = await catalog.GetDisc(catalog_pb2.GetDiscRequest(id=disc_id), timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                # Deleted: it may have been sold a moment ago.
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                return disc_id
            self._names[disc_id] = disc.name
        return self._names[disc_id]
