"""WatchStock: every move of a disc's stock is told once and in order, whichever process made it, and whichever died."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from local_shop.ports import free_port
from local_shop.processes import ServiceProcess
from recordshop.catalog.v1 import stock_pb2_grpc
from recordshop.channels import open_channel
from recordshop.client import RecordShop
from recordshop.errors import ShopError
from tests.faults.answers import answer_of, status_of
from tests.faults.stage import PATIENCE_S, PATIENT, Stage
from tests.faults.waiting import eventually
from tests.integration.stock_room import RESTOCK, WRITE_OFF, StockRoom, new_id
from tests.integration.stock_watch import watching

if TYPE_CHECKING:
    from recordshop.catalog.v1.stock_pb2_grpc import StockServiceAsyncStub

KEPT = "SELECT revision, stock FROM stock_changes WHERE disc_id = $1 ORDER BY revision"
NEWEST = "SELECT revision FROM discs WHERE id = $1"
HELD = "SELECT reservation_id, disc_id FROM audit.reservations WHERE disc_id = ANY ($1::uuid[]) AND state = 'RESERVED'"
STOCK = 400
HANDS = 12
STEPS = 25
MOVES = 60

History = list[tuple[int, int]]


@asynccontextmanager
async def second_catalog(stage: Stage) -> AsyncIterator[tuple[ServiceProcess, "StockServiceAsyncStub"]]:
    """Run one more catalog on the same database."""
    port = free_port()
    process = ServiceProcess(
        name="second_catalog_service",
        port=port,
        program=stage.catalog._program,
        settings={**stage.catalog._settings, "CATALOG_PORT": str(port)},
        log=stage.catalog._log,
    )
    try:
        await stage.start(process)
        async with open_channel(process.address) as channel:
            yield process, stock_pb2_grpc.StockServiceStub(channel)
    finally:
        process.stop()


class Histories:
    """What one watcher was told, by disc, and what there was to tell."""

    def __init__(self, stage: Stage, discs: Iterable[str]) -> None:
        self._catalog = stage.books.catalog
        self.told: dict[str, History] = {disc: [] for disc in discs}

    def add(self, disc_id: str, revision: int, stock: int) -> None:
        """Take down one change; the snapshot before the first move is none."""
        if revision:
            self.told[disc_id].append((revision, stock))

    async def are_whole(self) -> bool:
        """Tell whether the last move of each disc was told."""
        newest = [await self._catalog.fetchval(NEWEST, UUID(disc)) for disc in self.told]
        return newest == [told[-1][0] if told else 0 for told in self.told.values()]

    async def agree(self) -> None:
        """Hold that every move was told once, in order, with what was left after it."""
        for disc, told in self.told.items():
            kept = [tuple(row) for row in await self._catalog.fetch(KEPT, UUID(disc))]
            assert told == kept
            assert [revision for revision, _ in told] == list(range(1, len(told) + 1))


@asynccontextmanager
async def in_background(*work: Awaitable[None]) -> AsyncIterator[None]:
    """Run something beside the block, and end it with the block; what it raises fails the test."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert not [error for error in ended if isinstance(error, Exception)]


async def watch(stub: "StockServiceAsyncStub", histories: Histories) -> None:
    """Take down what one stream tells, from the beginning on."""
    async with watching(stub, **dict.fromkeys(histories.told, 0)) as stream:
        while True:
            told = await stream.next()
            histories.add(told.disc_id, told.revision, told.stock)


async def watch_in_pieces(stubs: list["StockServiceAsyncStub"], histories: Histories) -> None:
    """Take down a few changes of one process, then go on with the other where that one was left."""
    while True:
        stubs.reverse()
        since = {disc: told[-1][0] if told else 0 for disc, told in histories.told.items()}
        async with watching(stubs[0], **since) as stream:
            for _ in range(random.randrange(1, 10)):
                told = await stream.next()
                histories.add(told.disc_id, told.revision, told.stock)


async def busy_hand(stage: Stage, room: StockRoom, discs: list[str]) -> None:
    """Move stock in all ways that there are, in any order."""

    async def sell() -> None:
        await room.reserve(new_id(), {random.choice(discs): 1})

    async def sell_several() -> None:
        held = new_id()
        await room.reserve(held, dict.fromkeys(discs, 2))
        await room.take_back(held, {discs[0]: 1}, disposition=random.choice([RESTOCK, WRITE_OFF]))
        await room.release(held, *sorted(discs))

    async def sell_many() -> None:
        await room.reserve_all(*[(new_id(), {random.choice(discs): random.randrange(1, 4)}) for _ in range(10)])

    async def order() -> None:
        placed = await stage.place(f"watched-{uuid4()}", {discs[0]: 2})
        await stage.take_back(placed.id, {discs[0]: 1})
        await stage.cancel(placed.id)

    async def deliver() -> None:
        await room.adjust(random.choice(discs), random.choice([-2, 3]))

    ways: list[Callable[[], Awaitable[None]]] = [sell, sell_several, sell_many, order, deliver]
    for way in random.choices(ways, k=STEPS):
        await way()


async def give_back(stage: Stage, *discs: str) -> None:
    """Release what was reserved without an order, which an audit of all discs would find."""
    room = StockRoom(stage.shop.stock)
    for row in await stage.books.catalog.fetch(HELD, [UUID(disc) for disc in discs]):
        await room.release(str(row["reservation_id"]), str(row["disc_id"]))
    await stage.promise_kept(*discs)


async def test_no_move_is_skipped_or_told_twice_whoever_makes_it(stage: Stage) -> None:
    discs = [await stage.disc(stock=100_000) for _ in range(3)]
    async with second_catalog(stage) as (_, second):
        stubs = [stage.shop.stock, second]
        here, there, pieces = [Histories(stage, discs) for _ in range(3)]
        async with in_background(
            watch(stage.shop.stock, here), watch(second, there), watch_in_pieces(list(stubs), pieces)
        ):
            rooms = [StockRoom(stub) for stub in stubs]
            await asyncio.gather(*[busy_hand(stage, rooms[hand % 2], discs) for hand in range(HANDS)])
            for histories in (here, there, pieces):
                await eventually(histories.are_whole, bool)
        for histories in (here, there, pieces):
            await histories.agree()
    await give_back(stage, *discs)


async def test_the_last_copies_of_a_disc_are_told_one_by_one(stage: Stage) -> None:
    disc = await stage.disc(stock=STOCK)
    histories = Histories(stage, [disc])
    async with second_catalog(stage) as (_, second), in_background(watch(second, histories)):
        rooms = [StockRoom(stage.shop.stock), StockRoom(second)]
        sales = [rooms[number % 2].reserve(new_id(), {disc: 1}) for number in range(STOCK + 50)]
        answers = await asyncio.gather(*sales, return_exceptions=True)
        assert sum(not isinstance(answer, BaseException) for answer in answers) == STOCK
        await eventually(histories.are_whole, bool)
    await histories.agree()
    assert histories.told[disc][-1][1] == 0
    left = [stock for _, stock in histories.told[disc]]
    assert left == sorted(left, reverse=True)
    await give_back(stage, disc)


async def test_a_client_goes_on_by_itself_when_the_process_that_it_watches_dies(stage: Stage) -> None:
    disc = await stage.disc(stock=STOCK)
    histories = Histories(stage, [disc])

    async def follow(client: RecordShop) -> None:
        async with aclosing(client.watch_stock([disc], timeout_s=2 * PATIENCE_S)) as changes:
            async for change in changes:
                histories.add(change.disc_id, change.revision, change.stock)

    async with second_catalog(stage) as (_, second), RecordShop(catalog=stage.catalog.address, retry=PATIENT) as client:
        room = StockRoom(second)
        async with in_background(follow(client)):
            for move in range(1, MOVES + 1):
                await room.adjust(disc, -1)
                if move % (MOVES // 3) == 1:
                    await eventually(histories.are_whole, bool)
                    stage.catalog.kill()
                if move % (MOVES // 3) == MOVES // 6:
                    await stage.start(stage.catalog)
            await eventually(histories.are_whole, bool)
    await histories.agree()


async def test_a_client_that_watches_an_order_goes_on_when_its_process_dies(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    request_id = f"watched-{uuid4()}"
    stage.catalog.kill()
    answer = await answer_of(stage.place(request_id, {disc: 1}))
    assert isinstance(answer, ShopError), answer
    seen: list[str] = []
    begun = asyncio.Event()

    async def follow() -> None:
        async for order in stage.client.watch_order(stage.order_id(request_id), timeout_s=PATIENCE_S):
            seen.append(status_of(order))
            begun.set()

    following = asyncio.ensure_future(follow())
    await begun.wait()
    stage.order.kill()
    await stage.start(stage.order)
    await stage.start(stage.catalog)
    await following
    assert seen == ["PENDING", "CONFIRMED"]
