"""A catalog with one way of deciding reservations, and what its tests ask and lock."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import grpc

from catalog_service.settings import StrategyName
from recordshop.catalog.v1 import stock_pb2
from tests.conftest import ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.refusals import Refusal, read_refusal
from tests.integration.stock_room import CALL_TIMEOUT_S, Asked, StockRoom, reserve_request
from tests.opened_shop import OpenedShop

# Enough that a race of a test's own never uses them up, and short, so that a test of the end need not wait.
PATIENT = {"OPTIMISTIC_ATTEMPTS_MAX": "100", "OPTIMISTIC_BACKOFF_MAX_S": "0.05"}
WHO_WAITS_FOR_ME = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
WHO_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
LOCK = "SELECT FROM discs WHERE id = $1 FOR UPDATE"
MOVED = "UPDATE discs SET stock = stock, revision = revision WHERE id = $1"
MOVES = "SELECT revision, (SELECT count(*) FROM stock_changes WHERE disc_id = id) AS kept FROM discs WHERE id = $1"
ENTRIES = "SELECT count(*) FROM reservations WHERE reservation_id = $1"
Answer = stock_pb2.Reservation | Refusal


@dataclass(frozen=True)
class Room:
    """A catalog with one strategy, and the superuser in its database: two who lock, and one who looks on outside of transactions."""

    strategy: StrategyName
    shop: OpenedShop
    stock: StockRoom
    admin: asyncpg.Connection
    other_admin: asyncpg.Connection
    onlooker: asyncpg.Connection

    async def disc(self, stock: int) -> str:
        """Create a disc."""
        return (await self.shop.make_disc(stock=stock)).id

    async def answer(self, reservation_id: str, lines: dict[str, int]) -> Answer:
        """Ask until there is a decision, as every caller does."""
        while True:
            try:
                return await self.stock.reserve(reservation_id, lines)
            except grpc.aio.AioRpcError as error:
                refusal = read_refusal(error)
                if refusal.reason != "CONFLICT_RETRIES_EXHAUSTED":
                    return refusal

    async def counts(self, disc_id: str) -> int:
        """Hold that each move of the disc's stock was counted and kept once, and count them."""
        row = await self.admin.fetchrow(MOVES, UUID(disc_id))
        assert row["revision"] == row["kept"]
        return int(row["revision"])

    async def one_waits(self) -> None:
        """Wait until one statement waits for this connection."""
        await eventually(lambda: self.admin.fetchval(WHO_WAITS_FOR_ME), lambda count: count == 1)

    async def in_order(self, *asked: Asked) -> list[stock_pb2.ReserveStockResult]:
        """Ask for several reservations, to be decided in their order."""
        requests = [reserve_request(*entry) for entry in asked]
        request = stock_pb2.BatchReserveStockRequest(requests=requests, in_order=True)
        return list((await self.shop.stock.BatchReserveStock(request, timeout=CALL_TIMEOUT_S)).results)

    async def all_who_wait(self) -> int:
        """Count the statements that wait for a lock."""
        return int(await self.onlooker.fetchval(WHO_WAITS))

    async def entries(self, reservation_id: str) -> int:
        """Count the ledger's rows of a reservation."""
        return int(await self.onlooker.fetchval(ENTRIES, UUID(reservation_id)))


@asynccontextmanager
async def open_room(
    postgres: ProvisionedPostgres,
    open_shop: Callable[..., Awaitable[OpenedShop]],
    strategy: StrategyName,
    **settings: str,
) -> AsyncIterator[Room]:
    """Open a shop whose catalog has this strategy."""
    shop = await open_shop(settings={"catalog": {"STOCK_STRATEGY": strategy, **PATIENT, **settings}})
    dsn = postgres.admin_dsn(urlsplit(shop.local.catalog_dsn).path.lstrip("/"))
    admins = [await asyncpg.connect(dsn, timeout=10) for _ in range(3)]
    try:
        yield Room(strategy, shop, StockRoom(shop.stock), *admins)
    finally:
        for admin in admins:
            await admin.close()


def what_was_said(results: Sequence[stock_pb2.ReserveStockResult]) -> list[int | str]:
    """Return how many copies were left for each that got its own, and the reasons of the others."""
    return [result.error.reason if result.HasField("error") else result.held.lines[0].stock_left for result in results]
