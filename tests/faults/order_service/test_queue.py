"""Async orders: taken in now and decided later, in the order in which they were committed, whoever dies, sleeps or is away meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from order_service import order_queue
from recordshop.errors import CustomerInactive, CustomerNotFound, OutOfStock, Overloaded, RequestIdReused
from recordshop.order.v1 import order_pb2
from tests.faults.answers import answer_of, status_of
from tests.faults.books import OnDisk
from tests.faults.stage import CALL_TIMEOUT_S, PATIENCE_S, Stage
from tests.faults.waiting import eventually

if TYPE_CHECKING:
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

ASYNC, SYNC, HYBRID = order_pb2.ORDER_MODE_ASYNC, order_pb2.ORDER_MODE_SYNC, order_pb2.ORDER_MODE_HYBRID
PARTITIONS = 16
TURNS_MAX = 20
LISTENER_ENDS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'
"""
# Who waits for the row of a partition, which only those do who take orders into it.
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND usename = 'order_service'
"""
# Who waits for the row of a disc.
HELD_UP = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND usename = 'catalog_service'
"""
BY_A_CLOCK_SINCE_SET_BACK = """
WITH worker AS (
    INSERT INTO queue_workers (worker_id, lease_end_time) VALUES ($1, now() + interval '1 hour')
)
UPDATE queue_leases SET worker_id = $1, lease_end_time = now() + interval '1 hour'
"""
TAKE_POSITION = "UPDATE queue_partitions SET last_position = last_position + 1 WHERE partition = $1"


def name(what: str = "queued") -> str:
    return f"{what}-{uuid4()}"


async def enqueue(
    stage: Stage,
    disc: str,
    *,
    quantity: int = 1,
    request_id: str | None = None,
    stub: "OrderServiceAsyncStub | None" = None,
) -> str:
    """Place an async order, which is answered as PENDING; returns its id."""
    order = await stage.place(request_id or name(), {disc: quantity}, mode=ASYNC, stub=stub)
    assert status_of(order) == "PENDING"
    return order.id


async def discs_of_two_partitions(stage: Stage, *, stock: int) -> tuple[str, str]:
    """Make two discs whose orders do not wait behind each other."""
    first, second = [await stage.disc(stock=stock) for _ in range(2)]
    while UUID(second).bytes[-1] % PARTITIONS == UUID(first).bytes[-1] % PARTITIONS:
        second = await stage.disc(stock=stock)
    return first, second


async def final(stage: Stage, order_id: str) -> order_pb2.Order:
    """Follow an order to its end."""
    request = order_pb2.WatchOrderRequest(id=order_id)
    orders = [order async for order in stage.shop.order.WatchOrder(request, timeout=PATIENCE_S)]
    return orders[-1]


async def statuses(stage: Stage, order_ids: Sequence[str]) -> list[str]:
    return [status_of(await final(stage, order_id)) for order_id in order_ids]


@asynccontextmanager
async def catalog_away(stage: Stage) -> AsyncIterator[None]:
    """Kill the catalog, and start it again at the end of the block: until then nothing is decided."""
    stage.catalog.kill()
    yield
    await stage.start(stage.catalog)


async def test_an_async_order_is_answered_as_pending_and_decided_in_its_turn(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with catalog_away(stage):
        order = await stage.place(name(), {disc: 2}, mode=ASYNC)
        assert status_of(order) == "PENDING"
        assert order.follow_up.watch_method == "recordshop.order.v1.OrderService/WatchOrder"
        assert order.follow_up.get_method == "recordshop.order.v1.OrderService/GetOrder"
        assert order.follow_up.poll_delay.ToMilliseconds() > 0
        assert await stage.client.get_order(order.id) == order
    decided = await final(stage, order.id)
    assert status_of(decided) == "CONFIRMED"
    assert decided.total_cents == 2 * decided.lines[0].price_cents > 0
    assert not decided.HasField("follow_up")
    await stage.promise_kept(disc)


async def test_an_order_that_waited_is_sold_at_the_prices_of_its_decision(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with catalog_away(stage):
        order_id = await enqueue(stage, disc, quantity=2)
        await stage.books.catalog.execute("UPDATE discs SET price_cents = 4321 WHERE id = $1", UUID(disc))
    decided = await final(stage, order_id)
    assert (decided.lines[0].price_cents, decided.total_cents) == (4_321, 2 * 4_321)
    await stage.promise_kept(disc)


async def test_an_async_order_that_is_refused_is_found_rejected_and_stays_so(stage: Stage) -> None:
    disc = await stage.disc(stock=1)
    request_id = name()
    order = await final(stage, await enqueue(stage, disc, quantity=2, request_id=request_id))
    assert (status_of(order), order.reason, order.lines[0].stock_left) == ("REJECTED", "OUT_OF_STOCK", 1)
    await stage.adjust(disc, 100)
    with pytest.raises(OutOfStock) as raised:
        await stage.place(request_id, {disc: 2}, mode=ASYNC)
    assert raised.value.order_id == order.id
    await stage.promise_kept(disc)


async def test_who_may_not_buy_is_told_at_once(stage: Stage) -> None:
    disc = await stage.disc(stock=1)
    customer = (await stage.shop.make_customer()).id
    await stage.set_active(customer, active=False)
    with pytest.raises(CustomerInactive):
        await stage.place(name(), {disc: 1}, customer_id=customer, mode=ASYNC)
    with pytest.raises(CustomerNotFound):
        await stage.place(name(), {disc: 1}, customer_id=str(uuid4()), mode=ASYNC)
    assert await stage.books.open_work() == 0


async def test_orders_of_two_services_are_decided_in_the_order_in_which_they_were_taken_in(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with stage.second_order_service() as (_, second):
        async with catalog_away(stage):
            order_ids = [await enqueue(stage, disc, stub=stub) for _ in range(5) for stub in (stage.shop.order, second)]
        assert await statuses(stage, order_ids) == ["CONFIRMED"] * 5 + ["REJECTED"] * 5
    await stage.promise_kept(disc)


async def test_orders_of_one_group_are_decided_in_the_order_of_their_arrival(stage: Stage) -> None:
    disc = await stage.disc(stock=20)
    async with catalog_away(stage):
        requests = [stage.request(name(), {disc: 1}, mode=ASYNC) for _ in range(40)]
        asked = order_pb2.BatchCreateOrdersRequest(requests=requests)
        answer = await stage.shop.order.BatchCreateOrders(asked, timeout=CALL_TIMEOUT_S)
        assert {result.order.status for result in answer.results} == {order_pb2.ORDER_STATUS_PENDING}
    order_ids = [result.order.order_id for result in answer.results]
    assert await statuses(stage, order_ids) == ["CONFIRMED"] * 20 + ["REJECTED"] * 20
    await stage.promise_kept(disc)


async def test_nobody_gets_a_later_position_while_an_earlier_one_is_not_committed(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with catalog_away(stage):
        first = await enqueue(stage, disc)
        [partition, position] = await stage.books.queued(first) or ()
        async with stage.books.orders.acquire() as other:
            transaction = other.transaction()
            await transaction.start()
            await other.execute(TAKE_POSITION, partition)
            placing = asyncio.create_task(enqueue(stage, disc))
            await eventually(lambda: stage.books.orders.fetchval(WAITING), lambda count: count == 1)
            assert not placing.done()
            await transaction.commit()
        assert await stage.books.queued(await placing) == (partition, position + 2)
    await stage.promise_kept(disc)


async def test_no_row_of_the_queue_goes_while_one_of_its_orders_is_pending(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with catalog_away(stage):
        order_id = await enqueue(stage, disc)
        [partition, position] = await stage.books.queued(order_id) or ()
        await stage.books.orders.execute(order_queue.CLOSE, partition, [position])
        assert await stage.books.queued(order_id) == (partition, position)
    await stage.promise_kept(disc)


async def test_a_worker_that_is_killed_leaves_its_partitions_to_another(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with stage.second_order_service() as (_, second):
        async with catalog_away(stage):
            order_ids = [await enqueue(stage, disc) for _ in range(3)]
            stage.order.kill()
            order_ids += [await enqueue(stage, disc, stub=second) for _ in range(3)]
        for order_id in order_ids:
            request = order_pb2.WatchOrderRequest(id=order_id)
            [*_, order] = [order async for order in second.WatchOrder(request, timeout=PATIENCE_S)]
            assert status_of(order) == ("CONFIRMED" if order_id in order_ids[:5] else "REJECTED")
        await eventually(stage.books.leases, lambda leases: [len(held) for held in leases.values()] == [PARTITIONS])
    await stage.start(stage.order)
    await stage.promise_kept(disc)


async def test_a_worker_that_slept_while_its_orders_were_decided_changes_nothing(stage: Stage) -> None:
    disc = await stage.disc(stock=3)
    async with stage.failpoints.trap("order.stock_answered", pid=stage.order.pid) as trap:
        order_ids = [await enqueue(stage, disc) for _ in range(2)]
        held = await trap.reached()
        stage.order.pause()
        async with stage.second_order_service() as (_, second):
            order_ids += [await enqueue(stage, disc, stub=second) for _ in range(2)]
            for order_id in order_ids:
                request = order_pb2.WatchOrderRequest(id=order_id)
                [*_, order] = [order async for order in second.WatchOrder(request, timeout=PATIENCE_S)]
                assert status_of(order) == ("CONFIRMED" if order_id in order_ids[:3] else "REJECTED")
            stage.order.resume()
            held.go()
            assert await statuses(stage, order_ids) == ["CONFIRMED"] * 3 + ["REJECTED"]
    await stage.promise_kept(disc)


async def test_partitions_are_shared_out_and_given_back(stage: Stage) -> None:
    def shares(leases: dict[UUID, list[int]]) -> list[int]:
        return sorted(len(held) for held in leases.values())

    await eventually(stage.books.leases, lambda leases: shares(leases) == [PARTITIONS])
    async with stage.second_order_service():
        await eventually(stage.books.leases, lambda leases: shares(leases) == [PARTITIONS // 2] * 2)
    await eventually(stage.books.leases, lambda leases: shares(leases) == [PARTITIONS])


async def test_leases_that_end_in_a_far_future_are_over(stage: Stage) -> None:
    disc, nobody = await stage.disc(stock=1), uuid4()
    await stage.books.orders.execute(BY_A_CLOCK_SINCE_SET_BACK, nobody)
    await eventually(stage.books.leases, lambda leases: nobody not in leases)
    beats = "SELECT count(*) FROM queue_workers WHERE worker_id = $1"
    await eventually(lambda: stage.books.orders.fetchval(beats, nobody), lambda count: count == 0)
    assert status_of(await final(stage, await enqueue(stage, disc))) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_without_a_word_from_the_database_the_queue_is_looked_at_all_the_same(stage: Stage) -> None:
    disc = await stage.disc(stock=5)
    async with stage.second_order_service() as (_, second):
        for _ in range(3):
            await stage.books.orders.execute(LISTENER_ENDS)
            assert await statuses(stage, [await enqueue(stage, disc, stub=second)]) == ["CONFIRMED"]
    await stage.promise_kept(disc)


async def test_a_partition_that_is_never_empty_leaves_the_others_their_turns(stage: Stage) -> None:
    busy, other = await discs_of_two_partitions(stage, stock=100)
    async with stage.second_order_service(QUEUE_PARTITIONS_AT_ONCE_MAX="1") as (process, second):
        stage.order.kill()
        await eventually(stage.books.leases, lambda leases: [len(held) for held in leases.values()] == [PARTITIONS])
        async with stage.failpoints.trap("order.stock_answered", pid=process.pid) as trap:
            await enqueue(stage, busy, stub=second)
            held = await trap.reached()
            behind = await enqueue(stage, other, stub=second)
            for _ in range(TURNS_MAX):
                await enqueue(stage, busy, stub=second)
                held.go()
                held = await trap.reached()
                if (await stage.books.on_disk(behind)).ledger == "RESERVED":
                    break
            else:
                pytest.fail("it never had its turn")
    await stage.start(stage.order)
    await stage.promise_kept(busy, other)


async def test_a_partition_that_is_stuck_leaves_the_others_their_turns(stage: Stage) -> None:
    stuck, free = await discs_of_two_partitions(stage, stock=5)
    async with stage.second_order_service(QUEUE_PARTITIONS_AT_ONCE_MAX="1") as (_, second):
        stage.order.kill()
        await eventually(stage.books.leases, lambda leases: [len(held) for held in leases.values()] == [PARTITIONS])
        async with stage.books.catalog.acquire() as other, other.transaction():
            await other.execute("SELECT FROM discs WHERE id = $1 FOR UPDATE", UUID(stuck))
            held_up = await enqueue(stage, stuck, stub=second)
            await eventually(lambda: stage.books.catalog.fetchval(HELD_UP), lambda count: count >= 1)
            behind = await enqueue(stage, free, stub=second)
            request = order_pb2.WatchOrderRequest(id=behind)
            [*_, order] = [order async for order in second.WatchOrder(request, timeout=PATIENCE_S)]
            assert status_of(order) == "CONFIRMED"
            assert (await stage.books.on_disk(held_up)).order == "PENDING"
    await stage.start(stage.order)
    assert await statuses(stage, [held_up]) == ["CONFIRMED"]
    await stage.promise_kept(stuck, free)


@pytest.mark.parametrize("failpoint", ["order.taken_in", "order.stock_answered", "order.decided"])
async def test_an_order_whose_service_dies_on_the_way_is_decided_once(stage: Stage, failpoint: str) -> None:
    disc = await stage.disc(stock=5)
    request_id = name(failpoint)
    async with stage.failpoints.trap(failpoint, pid=stage.order.pid) as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2}, mode=ASYNC)))
        (await trap.reached()).die()
        await stage.died(stage.order)
    await placing
    await stage.start(stage.order)
    assert await statuses(stage, [stage.order_id(request_id)]) == ["CONFIRMED"]
    await stage.promise_kept(disc)
    assert await stage.books.stock(disc) == 3


@pytest.mark.parametrize("mode", [SYNC, HYBRID, ASYNC])
async def test_a_repeated_call_never_takes_an_order_past_those_before_it(
    stage: Stage, mode: order_pb2.OrderMode.ValueType
) -> None:
    disc = await stage.disc(stock=1)
    request_id = name()
    async with catalog_away(stage):
        first = await enqueue(stage, disc)
        second = await enqueue(stage, disc, request_id=request_id)
        again = await stage.place(request_id, {disc: 1}, mode=mode)
        assert (again.id, status_of(again)) == (second, "PENDING")
        with pytest.raises(RequestIdReused):
            await stage.place(request_id, {disc: 2}, mode=mode)
    assert await statuses(stage, [first, second]) == ["CONFIRMED", "REJECTED"]
    with pytest.raises(OutOfStock):
        await stage.place(request_id, {disc: 1}, mode=mode)
    await stage.promise_kept(disc)


async def test_a_sync_order_that_waits_for_the_catalog_is_answered_as_pending_by_an_async_repeat(stage: Stage) -> None:
    disc = await stage.disc(stock=1)
    request_id = name()
    async with catalog_away(stage):
        await answer_of(stage.place(request_id, {disc: 1}))
        again = await stage.place(request_id, {disc: 1}, mode=ASYNC)
        assert (again.id, status_of(again)) == (stage.order_id(request_id), "PENDING")
        assert await stage.books.queued(again.id) is None
    assert await statuses(stage, [again.id]) == ["CONFIRMED"]
    await stage.promise_kept(disc)


@pytest.mark.parametrize("quantity", [1, 2], ids=["the same lines", "other lines"])
async def test_a_sync_repeat_for_a_disc_that_ran_out_leaves_the_queued_order_its_turn(
    stage: Stage, quantity: int
) -> None:
    disc = await stage.disc(stock=1)
    await stage.sell_out(disc, 2)
    request_id = name()
    async with stage.failpoints.trap("order.stock_answered", pid=stage.order.pid) as trap:
        first = await enqueue(stage, disc)
        held = await trap.reached()
        # Sold out by now; this one waits behind it, and copies come before its turn does.
        second = await enqueue(stage, disc, request_id=request_id)
        repeat = await answer_of(stage.place(request_id, {disc: quantity}, mode=SYNC))
        if quantity == 1:
            assert isinstance(repeat, order_pb2.Order)
            assert (repeat.id, status_of(repeat)) == (second, "PENDING")
        else:
            assert isinstance(repeat, RequestIdReused)
        assert await stage.books.on_disk(second) == OnDisk("PENDING", None, 0)
        await stage.adjust(disc, 5)
        held.go()
    assert await statuses(stage, [first, second]) == ["CONFIRMED"] * 2
    await stage.promise_kept(disc)


async def test_an_order_that_is_cancelled_in_the_queue_gets_no_copies(stage: Stage) -> None:
    disc = await stage.disc(stock=2)
    async with catalog_away(stage):
        cancelled, kept = [await enqueue(stage, disc, quantity=2) for _ in range(2)]
        await answer_of(stage.cancel(cancelled))
    assert await statuses(stage, [cancelled, kept]) == ["CANCELLED", "CONFIRMED"]
    await stage.books.nothing_open()
    assert await stage.books.on_disk(cancelled) == OnDisk("CANCELLED", "RELEASED", 0)
    await stage.promise_kept(disc)


async def test_orders_of_several_discs_are_queued_and_decided_too(stage: Stage) -> None:
    discs = [await stage.disc(stock=2) for _ in range(3)]
    orders = [await stage.place(name(), dict.fromkeys(discs, 1), mode=ASYNC) for _ in range(3)]
    assert sorted(await statuses(stage, [order.id for order in orders])) == ["CONFIRMED", "CONFIRMED", "REJECTED"]
    await stage.promise_kept(*discs)


async def test_each_order_of_a_batch_has_its_own_mode(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    async with stage.failpoints.trap("order.decided", pid=stage.order.pid) as trap:
        requests = [stage.request(name(), {disc: 1}, mode=mode) for mode in (ASYNC, SYNC, HYBRID, ASYNC)]
        asked = order_pb2.BatchCreateOrdersRequest(requests=requests)
        placing = asyncio.ensure_future(stage.shop.order.BatchCreateOrders(asked, timeout=PATIENCE_S))
        (await trap.reached()).go()
    results = (await placing).results
    names = [order_pb2.OrderStatus.Name(result.order.status).removeprefix("ORDER_STATUS_") for result in results]
    assert (names[0], names[3]) == ("PENDING", "PENDING")
    assert names[1:3] == ["CONFIRMED", "CONFIRMED"]
    assert await statuses(stage, [result.order.order_id for result in results]) == ["CONFIRMED"] * 4
    await stage.promise_kept(disc)


async def test_a_line_that_is_too_long_takes_nobody_in_until_it_is_shorter(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    async with stage.second_order_service(QUEUE_WAITING_MAX="3") as (_, second):
        async with catalog_away(stage):
            order_ids = [await enqueue(stage, disc, stub=second) for _ in range(3)]
            with pytest.raises(Overloaded):
                await stage.place(name(), {disc: 1}, mode=ASYNC, stub=second)
        assert await statuses(stage, order_ids) == ["CONFIRMED"] * 3

        async def taken_in() -> object:
            return await answer_of(stage.place(name(), {disc: 1}, mode=ASYNC, stub=second))

        await eventually(taken_in, lambda answer: isinstance(answer, order_pb2.Order))
    await stage.promise_kept(disc)
