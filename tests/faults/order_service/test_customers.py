"""The customer changes, or their service is gone, between two attempts at one order."""

import asyncio
from uuid import uuid4

import pytest

from recordshop.errors import CustomerInactive, CustomerNotFound, NotAccepted, OrderPending, RequestIdReused
from tests.faults.answers import answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import Stage

CALLERS = 6


async def test_a_retry_of_a_customer_deactivated_meanwhile_is_the_order_that_exists(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    customer = (await stage.shop.make_customer()).id
    done, underway = f"done-{uuid4()}", f"underway-{uuid4()}"
    first = await stage.place(done, {disc: 1}, customer_id=customer)
    async with stage.failpoints.trap("order.taken_in") as trap:
        placing = asyncio.create_task(stage.place(underway, {disc: 2}, customer_id=customer))
        held = await trap.reached()
        await stage.set_active(customer, active=False)
        held.go()
        second = await placing
    for order, request_id, quantity in ((first, done, 1), (second, underway, 2)):
        assert status_of(order) == "CONFIRMED"
        assert await stage.place(request_id, {disc: quantity}, customer_id=customer) == order
    await stage.promise_kept(disc)


async def test_recovery_does_not_ask_whether_the_customer_may_still_buy(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    customer, request_id = (await stage.shop.make_customer()).id, f"recovered-{uuid4()}"
    order_id = stage.order_id(request_id, customer)
    async with stage.recovery_at_rest(), stage.failpoints.trap("order.taken_in") as trap:
        placing = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2}, customer_id=customer)))
        (await trap.reached()).die()
        await stage.died(stage.order)
    await placing
    await stage.set_active(customer, active=False)
    stage.customer.kill()
    await stage.start(stage.order)

    await stage.books.nothing_open()
    assert await stage.books.on_disk(order_id) == OnDisk("CONFIRMED", "RESERVED", 0)
    await stage.start(stage.customer)
    assert status_of(await stage.place(request_id, {disc: 2}, customer_id=customer)) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_no_order_begun_after_the_deactivation_is_confirmed(stage: Stage) -> None:
    disc = await stage.disc(stock=10_000)
    customer = (await stage.shop.make_customer()).id
    answered = asyncio.Event()

    async def keep_buying() -> list[tuple[bool, str]]:
        seen: list[tuple[bool, str]] = []
        while not seen or not seen[-1][0]:
            begun_after = answered.is_set()
            answer = await answer_of(stage.place(str(uuid4()), {disc: 1}, customer_id=customer))
            seen.append((begun_after, told(answer)[1]))
        return seen

    callers = [asyncio.create_task(keep_buying()) for _ in range(CALLERS)]
    await stage.set_active(customer, active=False)
    answered.set()
    seen = [entry for caller in callers for entry in await caller]
    assert {what for begun_after, what in seen if begun_after} == {"CustomerInactive"}
    await stage.promise_kept(disc)


async def test_an_order_refused_to_an_inactive_customer_stays_refused(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    customer, request_id = (await stage.shop.make_customer()).id, f"inactive-{uuid4()}"
    await stage.set_active(customer, active=False)
    for active in (False, True):
        await stage.set_active(customer, active=active)
        with pytest.raises(CustomerInactive) as raised:
            await stage.place(request_id, {disc: 1}, customer_id=customer)
        assert raised.value.order_id == stage.order_id(request_id, customer)
    assert status_of(await stage.place(f"new-{uuid4()}", {disc: 1}, customer_id=customer)) == "CONFIRMED"
    await stage.promise_kept(disc)


@pytest.mark.parametrize("away", ["down", "frozen"])
async def test_without_the_customer_service_nothing_is_taken_in_and_what_exists_is_answered(
    stage: Stage, away: str
) -> None:
    disc = await stage.disc(stock=9)
    existing, new = f"existing-{uuid4()}", f"new-{uuid4()}"
    order = await stage.place(existing, {disc: 1})
    if away == "down":
        stage.customer.kill()
    else:
        stage.customer.pause()
    with pytest.raises(NotAccepted) as raised:
        await stage.place(new, {disc: 1})
    assert not isinstance(raised.value, OrderPending)
    assert await stage.books.on_disk(stage.order_id(new)) == OnDisk(None, None, 0)
    assert await stage.place(existing, {disc: 1}) == order
    with pytest.raises(RequestIdReused):
        await stage.place(existing, {disc: 2})
    await stage.stand_up()
    assert status_of(await stage.place_at_last(new, {disc: 1})) == "CONFIRMED"
    await stage.promise_kept(disc)


async def test_an_unknown_customers_order_leaves_nothing_behind(stage: Stage) -> None:
    disc = await stage.disc(stock=9)
    customer, request_id = str(uuid4()), f"unknown-{uuid4()}"
    with pytest.raises(CustomerNotFound):
        await stage.place(request_id, {disc: 1}, customer_id=customer)
    assert await stage.books.on_disk(stage.order_id(request_id, customer)) == OnDisk(None, None, 0)
