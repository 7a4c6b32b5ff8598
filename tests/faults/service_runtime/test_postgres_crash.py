"""PostgreSQL itself crashes under load, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from local_shop.postgres import LocalPostgres
from local_shop.provision import DATABASES, provision
from recordshop.errors import OutOfStock
from recordshop.order.v1 import order_pb2
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.stage import Stage, open_stage

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
