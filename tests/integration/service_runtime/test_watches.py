"""Watches in a real process: how many it takes, what a slow caller costs it, and how they end with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from uuid import UUID

import asyncpg
import grpc
import pytest

from catalog_service.stock.changes import KEPT_MAX
from recordshop.catalog.v1 import stock_pb2_grpc
from tests.conftest import FreshShops, ProvisionedPostgres
from tests.faults.waiting import eventually
from tests.integration.refusals import read_refusal, refusal_of
from tests.integration.stock_watch import StockWatch, Told, watching
from tests.opened_shop import OpenedShop
from tests.support.memory import resident_bytes

WATCHES_MAX = 30
DISCS = 100
# Of those, the ones that move: their changes are far more than fits into a connection that nobody reads.
MOVING = 20
MOVES = 1_000
# A process may take this long over its end, far less than what it gives its calls.
ENDED_S = 20.0
CALLS_DRAIN_S = 60
MEBIBYTE = 1 << 20

# As the service moves stock, only faster.
MOVE = f"""
WITH moved AS (
    UPDATE discs SET revision = revision + $2 WHERE id = ANY ($1::uuid[]) RETURNING id, stock, revision
)
INSERT INTO stock_changes (disc_id, revision, stock)
SELECT id, next, stock FROM moved, generate_series(greatest(revision - $2, revision - {KEPT_MAX}) + 1, revision) AS next
ON CONFLICT (disc_id, slot) DO UPDATE SET revision = excluded.revision, stock = excluded.stock
"""

LOOKED_UP = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'discs_pkey'"
# As in the settings.
LATE_MAX_S = 4.0
INTERVAL_S = 0.1
# A connection of which a caller who does not read takes in no more than 64 KiB.
NARROW = [("grpc.enable_http_proxy", 0), ("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]


class Busy:
    """A catalog with many discs that move fast."""

    def __init__(self, shop: OpenedShop, discs: list[str], connection: asyncpg.Connection) -> None:
        self.shop = shop
        self.discs = discs
        self._connection = connection

    @property
    def moving(self) -> list[str]:
        """The discs that move."""
        return self.discs[:MOVING]

    async def looked_up(self) -> int:
        """Counts how often a disc was looked up by its key."""
        await self._connection.execute("SELECT pg_stat_clear_snapshot()")
        return int(await self._connection.fetchval(LOOKED_UP))

    async def move(self, count: int) -> None:
        """Moves the stock of these so many times."""
        await self._connection.execute(MOVE, [UUID(disc) for disc in self.moving], count)


@pytest.fixture
async def busy(fresh_shop: FreshShops, postgres: ProvisionedPostgres) -> AsyncIterator[Busy]:
    settings = {"WATCHES_MAX": str(WATCHES_MAX), "WATCHED_DISCS_MAX": str(DISCS), "DRAIN_TIMEOUT_S": str(CALLS_DRAIN_S)}
    shop = await fresh_shop(settings={"catalog": settings})
    discs = [disc.id for disc in await asyncio.gather(*[shop.make_disc(stock=5) for _ in range(DISCS)])]
    database = shop.local.catalog_dsn.rsplit("/", 1)[1]
    connection = await asyncpg.connect(postgres.admin_dsn(database), timeout=10)
    yield Busy(shop, discs, connection)
    await connection.close()


@asynccontextmanager
async def narrow_stub(busy: Busy) -> AsyncIterator["stock_pb2_grpc.StockServiceAsyncStub"]:
    """Open a connection that holds up whoever sends more than its caller reads."""
    async with grpc.aio.insecure_channel(busy.shop.local.catalog_addr, options=NARROW) as channel:
        yield stock_pb2_grpc.StockServiceStub(channel)


async def is_let_in(busy: Busy, stack: AsyncExitStack | None = None) -> bool:
    """Tell whether one more may watch, who goes on to if there is a stack."""
    async with AsyncExitStack() as own:
        watch = await (stack or own).enter_async_context(watching(busy.shop.stock, busy.discs[-1]))
        try:
            await watch.next()
        except grpc.aio.AioRpcError as error:
            if read_refusal(error).reason != "OVERLOADED":
                raise
            return False
        return True


async def collect(watch: StockWatch, count: int) -> dict[str, list[int]]:
    """Collect so many changes, as the revisions of each disc."""
    revisions: dict[str, list[int]] = {}
    for _ in range(count):
        told = await watch.next()
        assert not told.is_snapshot
        revisions.setdefault(told.disc_id, []).append(told.revision)
    return revisions


async def test_more_watches_than_the_limit_are_refused_until_one_ends(busy: Busy) -> None:
    disc, other = busy.discs[:2]
    async with AsyncExitStack() as stack:
        for _ in range(WATCHES_MAX):
            watch = await stack.enter_async_context(watching(busy.shop.stock, disc))
            assert await watch.next() == Told(disc, 0, 5, is_snapshot=True)
        async with watching(busy.shop.stock, other) as refused:
            refusal = await refusal_of(refused.next())
        assert refusal.says(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        watch.call.cancel()
        await eventually(partial(is_let_in, busy), bool)


async def test_callers_who_do_not_read_leave_their_places_when_they_go(busy: Busy) -> None:
    await busy.move(KEPT_MAX)
    async with AsyncExitStack() as stack:
        stub = await stack.enter_async_context(narrow_stub(busy))
        for _ in range(WATCHES_MAX):
            hanging = await stack.enter_async_context(watching(stub, **dict.fromkeys(busy.moving, 0)))
            await hanging.next()
        assert not await is_let_in(busy)
    async with AsyncExitStack() as stack:
        for _ in range(WATCHES_MAX):
            await eventually(partial(is_let_in, busy, stack), bool)
        assert not await is_let_in(busy)


async def test_more_discs_than_the_limit_are_refused_and_watched_ones_are_not(busy: Busy) -> None:
    one_more = (await busy.shop.make_disc(stock=1)).id
    async with watching(busy.shop.stock, *busy.discs) as all_of_them:
        await all_of_them.next()
        async with watching(busy.shop.stock, busy.discs[0], one_more) as refused:
            assert (await refusal_of(refused.next())).reason == "OVERLOADED"
        async with watching(busy.shop.stock, busy.discs[0]) as watched:
            assert (await watched.next()).revision == 0


async def test_all_who_watch_are_looked_for_together(busy: Busy) -> None:
    disc = busy.discs[0]
    first, started_s = await busy.looked_up(), time.monotonic()
    async with AsyncExitStack() as stack:
        for _ in range(WATCHES_MAX):
            watch = await stack.enter_async_context(watching(busy.shop.stock, disc))
            await watch.next()
        looked_up = await eventually(busy.looked_up, lambda count: count >= first + WATCHES_MAX + 60)
        took_s = time.monotonic() - started_s
    # Each looked once by itself when it began. What backends did before is told within two seconds or so: PostgreSQL gathers it.
    assert looked_up - first <= WATCHES_MAX + (took_s + LATE_MAX_S) / INTERVAL_S


async def test_callers_who_do_not_read_cost_little_and_miss_nothing_that_is_kept(busy: Busy) -> None:
    zero = dict.fromkeys(busy.moving, 0)
    pid = busy.shop.local.catalog.pid
    async with AsyncExitStack() as stack:
        await busy.move(MOVES)
        stub = await stack.enter_async_context(narrow_stub(busy))
        watches = [await stack.enter_async_context(watching(stub, **zero)) for _ in range(WATCHES_MAX - 1)]
        # All of them have begun when one who came after them has been told of everything.
        async with watching(busy.shop.stock, **zero) as reader:
            await collect(reader, MOVING * MOVES)
        before = resident_bytes(pid)
        await busy.move(KEPT_MAX - MOVES)
        async with watching(busy.shop.stock, **dict.fromkeys(busy.moving, MOVES)) as reader:
            await collect(reader, MOVING * (KEPT_MAX - MOVES))
        assert resident_bytes(pid) - before < 8 * MEBIBYTE
        for watch in watches[:3]:
            revisions = await collect(watch, MOVING * KEPT_MAX)
            assert revisions == {disc: list(range(1, KEPT_MAX + 1)) for disc in busy.moving}
        await busy.move(10 * KEPT_MAX)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await collect(watches[3], MOVING * KEPT_MAX)
        assert raised.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_process_that_is_told_to_end_ends_its_watches_at_once_those_that_hang_too(busy: Busy) -> None:
    async with AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(watching(busy.shop.stock, disc)) for disc in busy.moving[:10]]
        for watch in idle:
            await watch.next()
        await busy.move(KEPT_MAX)
        stub = await stack.enter_async_context(narrow_stub(busy))
        hanging = [await stack.enter_async_context(watching(stub, **dict.fromkeys(busy.moving, 0))) for _ in range(5)]
        for watch in [*idle, *hanging]:
            await watch.next()
        for watch in idle:
            await watch.until(KEPT_MAX)
        started_s = time.monotonic()
        ending = asyncio.create_task(asyncio.to_thread(busy.shop.local.catalog.terminate))
        for watch in idle:
            refusal = await refusal_of(watch.next())
            assert refusal.says(grpc.StatusCode.UNAVAILABLE, "WATCH_ENDED")
        assert await ending == 0
        assert time.monotonic() - started_s < ENDED_S
