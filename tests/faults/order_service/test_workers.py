"""An order service of several workers: calls reach all of them, and any of them, or their parent, may die."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest

from local_shop.ports import free_port
from local_shop.processes import ServiceProcess
from recordshop.client import RecordShop
from recordshop.errors import OrderPending, ShopError
from recordshop.order.v1 import order_pb2
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.order_service.crew import crew_of, listening_workers
from tests.faults.stage import PATIENCE_S, Lines, Stage
from tests.faults.traps import Held, Trap
from tests.faults.waiting import eventually
from tests.support.shop_command import all_ended, watched

CALLS = 50
DUPLICATES = 20
END_TIMEOUT_S = 30.0


async def buy(stage: Stage, client: RecordShop, request_id: str, lines: Lines) -> Answer:
    """Asks until there is an answer."""
    return await answer_of(client.create_order(stage.customer_id, lines, request_id=request_id, timeout_s=PATIENCE_S))


async def held_in_each(trap: Trap, pids: Iterable[int]) -> list[Held]:
    """Waits until every one of these processes is held."""
    missing, held = set(pids), []
    while missing:
        held.append(await trap.reached())
        missing.discard(held[-1].pid)
    return held


async def test_each_worker_serves_the_connections_that_it_accepted(worker_stage: Stage) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=9)
    async with crew_of(stage.order, clients=1) as crew:
        for pid, clients in crew.items():
            request_id = f"reach-{uuid4()}"
            async with stage.failpoints.trap("order.customer_known") as trap:
                buying = asyncio.create_task(buy(stage, clients[0], request_id, {disc: 1}))
                assert (await trap.reached()).pid == pid
            order = await buying
            assert told(order) == (stage.order_id(request_id), "CONFIRMED")
            for others in crew.values():
                assert await others[0].get_order(stage.order_id(request_id)) == order
    await stage.promise_kept(disc)


async def test_a_worker_that_is_killed_amidst_orders_loses_and_doubles_none_and_comes_back(worker_stage: Stage) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=1_000)
    request_ids = [f"killed-{uuid4()}" for _ in range(CALLS - DUPLICATES)]
    # Duplicates are sent to the other worker, too.
    asked = [*request_ids, *request_ids[:DUPLICATES]]
    async with crew_of(stage.order, clients=3) as crew:
        clients = [client for pair in zip(*crew.values(), strict=False) for client in pair]
        async with stage.failpoints.trap("order.taken_in") as trap:
            calls = [
                asyncio.create_task(
                    buy(stage, clients[(number + number // len(request_ids)) % len(clients)], one, {disc: 1})
                )
                for number, one in enumerate(asked)
            ]
            killed = (await trap.reached()).pid
            os.kill(killed, signal.SIGKILL)
            await held_in_each(trap, crew.keys() - {killed})
        answers = await asyncio.gather(*calls)
        assert [told(answer) for answer in answers] == [(stage.order_id(one), "CONFIRMED") for one in asked]
    assert killed in crew
    (survivor,) = crew.keys() - {killed}
    workers = await listening_workers(stage.order)
    assert survivor in workers
    assert killed not in workers
    async with crew_of(stage.order, clients=1) as crew:
        assert set(crew) == set(workers)
    assert await stage.books.stock(disc) == 1_000 - len(request_ids)
    await stage.promise_kept(disc)


async def test_the_recoveries_of_two_workers_settle_the_same_orders_once(worker_stage: Stage) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=100)
    request_ids = [f"recovered-{uuid4()}" for _ in range(8)]
    order_ids = [stage.order_id(request_id) for request_id in request_ids]
    workers = await listening_workers(stage.order)
    async with stage.failpoints.trap("order.stock_answered") as answered:
        async with stage.failpoints.trap("recovery.claimed") as sweeps:
            await held_in_each(sweeps, workers)
            stage.catalog.pause()
            for answer in await asyncio.gather(*(answer_of(stage.place(one, {disc: 1})) for one in request_ids)):
                assert isinstance(answer, OrderPending)
            stage.catalog.resume()
            await stage.books.make_due()
        first = await answered.reached()
        # As if its lease had run out while it stands there: the other worker drives the same orders.
        await stage.books.make_due()
        await held_in_each(answered, set(workers) - {first.pid})
    await stage.books.nothing_open()
    for order_id in order_ids:
        assert status_of(await stage.client.get_order(order_id)) == "CONFIRMED"
    assert await stage.books.stock(disc) == 100 - len(order_ids)
    await stage.promise_kept(disc)


async def test_an_order_of_a_killed_worker_is_finished_without_its_caller(worker_stage: Stage) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=9)
    request_id = f"left-{uuid4()}"
    async with stage.failpoints.trap("order.taken_in") as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
        os.kill((await trap.reached()).pid, signal.SIGKILL)
        assert isinstance(await placing, ShopError)
    await stage.books.nothing_open()
    assert status_of(await stage.client.get_order(stage.order_id(request_id))) == "CONFIRMED"
    assert await stage.books.stock(disc) == 7
    await listening_workers(stage.order)
    await stage.promise_kept(disc)


@asynccontextmanager
async def orders_under_way(stage: Stage, disc: str) -> AsyncIterator[tuple[list[int], list[asyncio.Task[Answer]]]]:
    """Has an order in the midst of each worker; answers the workers' process ids and the calls, which go on at the end."""
    async with crew_of(stage.order, clients=1) as crew, stage.failpoints.trap("order.taken_in") as trap:
        clients = [clients[0] for clients in crew.values()]
        requests = [stage.request(f"under-way-{uuid4()}", {disc: 1}) for _ in clients]
        # Asked once: who is not answered does not ask again.
        calls = [
            asyncio.ensure_future(answer_of(client.orders.CreateOrder(request, timeout=PATIENCE_S)))
            for client, request in zip(clients, requests, strict=True)
        ]
        await held_in_each(trap, crew)
        yield list(crew), calls
        trap.open()
        await asyncio.gather(*calls)


async def nobody_listens(port: int) -> None:
    """Waits until nobody takes connections any more."""

    async def connects() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return False
        except ConnectionResetError:
            # It came at the very moment at which a worker stopped to listen.
            return True
        writer.close()
        return True

    await eventually(connects, lambda connected: not connected)


async def test_sigterm_lets_the_calls_of_all_workers_finish_and_exits_with_0(worker_stage: Stage) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=9)
    async with orders_under_way(stage, disc) as (_, calls):
        os.kill(stage.order.pid, signal.SIGTERM)
        await nobody_listens(stage.order.port)
        assert stage.order.exit_code is None
        assert not any(call.done() for call in calls)
    for call in calls:
        assert told(call.result())[1] == "CONFIRMED"

    async def exit_code() -> int | None:
        return stage.order.exit_code

    assert await eventually(exit_code, lambda code: code is not None) == 0
    await stage.start(stage.order)
    await stage.promise_kept(disc)


@pytest.mark.parametrize("successors", [0, 1])
async def test_workers_whose_parent_is_killed_finish_their_calls_and_end(worker_stage: Stage, successors: int) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=9)
    async with AsyncExitStack() as stack:
        async with orders_under_way(stage, disc) as (workers, calls):
            ends = stack.enter_context(watched(workers))
            stage.order.kill()
            await nobody_listens(stage.order.port)
            if successors:
                # The port is free at once, for whoever takes the place of the one that was killed.
                await stage.start(stage.order)
        for call in calls:
            assert told(call.result())[1] == "CONFIRMED"
        assert await asyncio.to_thread(all_ended, ends, END_TIMEOUT_S)
    await stage.stand_up()
    await stage.promise_kept(disc)


@asynccontextmanager
async def second_catalog(stage: Stage) -> AsyncIterator[ServiceProcess]:
    """Runs one more catalog on the same database."""
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
        yield process
    finally:
        process.stop()


async def test_two_services_of_two_workers_and_two_catalogs_sell_a_hot_disc_out_exactly(worker_stage: Stage) -> None:
    stage, disc = worker_stage, await worker_stage.disc(stock=60)
    request_ids = [f"hot-{uuid4()}" for _ in range(90)]
    async with (
        second_catalog(stage) as catalog,
        stage.second_order_service(CATALOG_ADDR=catalog.address) as (second, _),
        crew_of(stage.order, clients=1) as crew,
        crew_of(second, clients=1) as second_crew,
    ):
        workers = [clients[0] for one in (crew, second_crew) for clients in one.values()]
        assert len(workers) == 4
        # Each request twice at once, to two of the four workers, of different services every other time.
        calls = [
            buy(stage, workers[(number + way) % 4], request_id, {disc: 1})
            for number, request_id in enumerate(request_ids)
            for way in (0, 1)
        ]
        answers = await asyncio.gather(*calls)
    # Every order has its two answers, equal ones.
    ends = Counter(map(told, answers))
    assert {order_id for order_id, _ in ends} == set(map(stage.order_id, request_ids))
    assert set(ends.values()) == {2}
    assert Counter(end for _, end in ends) == {"CONFIRMED": 60, "OutOfStock": 30}
    assert await stage.books.stock(disc) == 0
    assert sum(isinstance(answer, order_pb2.Order) for answer in answers) == 2 * 60
    await stage.promise_kept(disc)
