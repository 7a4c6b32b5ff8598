"""PostgreSQL itself crashes under load, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from local_shop.postgres import LocalPostgres
from local_shop.provision import DATABASES, provision
from recordshop.client import RecordShop
from recordshop.errors import OutOfStock, Unavailable
from recordshop.order.v1 import order_pb2
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.stage import PATIENCE_S, PATIENT, Stage, open_stage
from tests.faults.waiting import eventually
from tests.integration.refusals import refusal_of
from tests.integration.stock_watch import watching

CLIENTS = 16
CRASHES = 2
ANSWERS_BETWEEN_CRASHES = 60


@pytest.fixture
async def crashing_server(tmp_path: Path) -> AsyncIterator[tuple[LocalPostgres, Stage]]:
    """A server of this test's own, and a shop on it."""
    with LocalPostgres(data_dir=tmp_path / "postgres", sync_new_files=False) as server:
        passwords = provision(server)
        databases = {target.service: target.database for target in DATABASES}
        async with open_stage(server, passwords, tmp_path, databases) as stage:
            yield server, stage


async def test_every_acknowledged_order_survives_a_crash_of_the_database(
    crashing_server: tuple[LocalPostgres, Stage],
) -> None:
    server, stage = crashing_server
    disc, rare = await stage.disc(stock=100_000), await stage.disc(stock=40)
    answered: dict[str, Answer] = {}
    enough, stop = asyncio.Semaphore(0), asyncio.Event()

    async def client() -> None:
        while not stop.is_set():
            request_id = f"crash-{uuid4()}"
            answered[request_id] = await answer_of(stage.place_at_last(request_id, {disc: 2, rare: 1}))
            enough.release()

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    for _ in range(CRASHES):
        for _ in range(ANSWERS_BETWEEN_CRASHES):
            await enough.acquire()
        server.stop("immediate")
        server.start()
    for _ in range(ANSWERS_BETWEEN_CRASHES):
        await enough.acquire()
    stop.set()
    await asyncio.gather(*clients)

    await stage.books.nothing_open()
    for request_id, answer in answered.items():
        assert told(answer)[0] == stage.order_id(request_id)
        order = await stage.client.get_order(stage.order_id(request_id))
        if isinstance(answer, order_pb2.Order):
            assert (order, status_of(order)) == (answer, "CONFIRMED")
        else:
            assert isinstance(answer, OutOfStock)
            assert status_of(order) == "REJECTED"
    assert await stage.books.stock(rare) == 0
    await stage.promise_kept(disc, rare)


async def test_watches_end_with_a_crash_of_the_database_and_clients_go_on_with_them_after_it(
    crashing_server: tuple[LocalPostgres, Stage],
) -> None:
    server, stage = crashing_server
    disc = await stage.disc(stock=10)
    told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    async def follow(client: RecordShop) -> None:
        async for change in client.watch_stock([disc], timeout_s=PATIENCE_S):
            told.put_nowait((change.revision, change.stock))

    async def deliver(movement_id: str) -> bool:
        try:
            await stage.adjust(disc, 1, movement_id)
        except Unavailable:
            return False
        return True

    async with (
        RecordShop(catalog=stage.catalog.address, retry=PATIENT) as client,
        watching(stage.shop.stock, disc) as stream,
    ):
        following = asyncio.create_task(follow(client))
        assert (await told.get(), (await stream.next()).revision) == ((0, 10), 0)
        for move in range(1, CRASHES + 1):
            server.stop("immediate")
            if move == 1:
                refusal = await refusal_of(stream.next())
                assert refusal.says(grpc.StatusCode.UNAVAILABLE, "NOT_ACCEPTED")
            server.start()
            await eventually(partial(deliver, f"delivery-{move}"), bool)
            assert await told.get() == (move, 10 + move)
        following.cancel()
