"""One request, or one request_id with two payloads, on the short way and on the usual one at the same time."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from recordshop.errors import OutOfStock, RequestIdReused
from tests.faults.answers import Answer, answer_of, status_of, told
from tests.faults.books import OnDisk
from tests.faults.stage import Lines, Stage

if TYPE_CHECKING:
    from recordshop.order.v1.order_pb2_grpc import OrderServiceAsyncStub

ROUNDS = 12
# Where one of two callers stands while the other one goes all the way, when copies are delivered, and what is decided then.
MEETINGS = [
    ("order.denied", "never", "REJECTED"),
    ("order.denied", "meanwhile", "REJECTED"),
    ("order.denied", "before", "CONFIRMED"),
    ("order.taken_in", "never", "REJECTED"),
    ("order.taken_in", "meanwhile", "CONFIRMED"),
    ("order.taken_in", "before", "CONFIRMED"),
    ("order.stock_answered", "never", "REJECTED"),
    ("order.stock_answered", "meanwhile", "REJECTED"),
    ("order.stock_answered", "before", "CONFIRMED"),
]


@pytest.mark.parametrize(("failpoint", "delivered", "end"), MEETINGS)
async def test_a_request_that_goes_both_ways_at_once_is_one_order_with_one_decision(
    stage: Stage, failpoint: str, delivered: str, end: str
) -> None:
    disc, request_id = await stage.disc(stock=1), f"both-ways-{uuid4()}"
    await stage.sell_out(disc, 2)
    async with stage.second_order_service() as (second, stub), stage.recovery_at_rest():
        # Only the first service expects the disc to be sold out.
        short, usual = [answer_of(stage.place(request_id, {disc: 2}, stub=one)) for one in (None, stub)]
        waits, passes = (short, usual) if failpoint == "order.denied" else (usual, short)
        pid = stage.order.pid if waits is short else second.pid
        if delivered == "before":
            await stage.adjust(disc, 1)
        async with stage.failpoints.trap(failpoint, pid=pid) as trap:
            waiting = asyncio.create_task(waits)
            held = await trap.reached()
            if delivered == "meanwhile":
                await stage.adjust(disc, 1)
            answers = [await passes]
            held.go()
            answers.append(await waiting)
    replayed = await answer_of(stage.place(request_id, {disc: 2}))
    assert {told(answer)[0] for answer in (*answers, replayed)} == {stage.order_id(request_id)}
    if end == "REJECTED":
        assert [said(answer, disc) for answer in (*answers, replayed)] == [(2, 1)] * 3
    else:
        assert answers[0] == answers[1] == replayed
    ledger = "DENIED" if end == "REJECTED" else "RESERVED"
    assert (await stage.books.on_disk(stage.order_id(request_id))).order == end
    assert await stage.books.stock(disc) == (delivered != "never" and end == "REJECTED") + (end == "REJECTED")
    await stage.books.nothing_open()
    assert await stage.books.on_disk(stage.order_id(request_id)) == OnDisk(end, ledger, 0)
    await stage.promise_kept(disc)


def said(answer: Answer, disc: str) -> tuple[int | None, int | None]:
    """What a refusal said was asked for and left."""
    assert isinstance(answer, OutOfStock), answer
    return answer.lines[disc]


async def test_equal_requests_to_two_services_at_the_end_of_the_stock_are_one_order_each(stage: Stage) -> None:
    disc = await stage.disc(stock=ROUNDS // 2)
    await stage.sell_out(disc, ROUNDS)
    async with stage.second_order_service() as (_, stub):
        for turn in range(ROUNDS):
            request_id = f"end-{uuid4()}"
            calls = [answer_of(stage.place(request_id, {disc: 1}, stub=one)) for one in (None, stub) * 3]
            answers = {told(answer) for answer in await asyncio.gather(*calls)}
            assert answers == {(stage.order_id(request_id), "CONFIRMED" if turn < ROUNDS // 2 else "OutOfStock")}
            if turn == ROUNDS // 2:
                await stage.sell_out(disc, 1)
    assert await stage.books.stock(disc) == 0
    await stage.promise_kept(disc)


@pytest.mark.parametrize("disc_count", [1, 2])
async def test_other_lines_that_are_denied_ahead_of_an_order_leave_it_neither_open_nor_sold(
    stage: Stage, disc_count: int
) -> None:
    disc, other = await stage.disc(stock=1), await stage.disc(stock=9)
    await stage.sell_out(disc, 2)
    request_id = f"two-payloads-{uuid4()}"
    lines: Lines = dict.fromkeys((disc, other)[:disc_count], 1)
    async with (
        stage.second_order_service() as (_, stub),
        stage.failpoints.trap("order.denied", pid=stage.order.pid) as trap,
    ):
        ahead = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
        held = await trap.reached()
        # Of this id the catalog has heard of those lines first, and no order stands for them yet.
        barred = await stage.place(request_id, lines, stub=stub)
        held.go()
        assert isinstance(await ahead, RequestIdReused)
    # In the catalog its id stands for the other lines.
    assert (barred.id, status_of(barred)) == (stage.order_id(request_id), "CANCELLED")
    assert await stage.place(request_id, lines) == barred
    with pytest.raises(RequestIdReused):
        await stage.place(request_id, {disc: 2})
    assert (await stage.books.stock(disc), await stage.books.stock(other)) == (1, 9)
    assert status_of(await stage.place(f"new-{uuid4()}", lines)) == "CONFIRMED"
    await stage.promise_kept(disc, other)


@pytest.mark.parametrize("ended_by", ["recovery", "cancel"])
async def test_an_order_left_open_whose_other_lines_were_denied_is_ended(stage: Stage, ended_by: str) -> None:
    disc, other = await stage.disc(stock=1), await stage.disc(stock=9)
    await stage.sell_out(disc, 2)
    request_id = f"two-payloads-{uuid4()}"
    order_id = stage.order_id(request_id)
    async with stage.second_order_service() as (second, stub), stage.recovery_at_rest():
        async with (
            stage.failpoints.trap("order.denied", pid=stage.order.pid) as denied,
            stage.failpoints.trap("order.taken_in", pid=second.pid) as taken_in,
        ):
            ahead = asyncio.create_task(answer_of(stage.place(request_id, {disc: 2})))
            held = await denied.reached()
            first = asyncio.create_task(answer_of(stage.place(request_id, {disc: 1, other: 1}, stub=stub)))
            (await taken_in.reached()).die()
            await stage.died(second)
            held.go()
            assert isinstance(await ahead, RequestIdReused)
        await first
        assert await stage.books.on_disk(order_id) == OnDisk("PENDING", "DENIED", 1)
        if ended_by == "cancel":
            assert status_of(await stage.cancel(order_id)) == "CANCELLED"
    await stage.books.nothing_open()
    assert status_of(await stage.client.get_order(order_id)) == "CANCELLED"
    assert (await stage.books.stock(disc), await stage.books.stock(other)) == (1, 9)
    await stage.promise_kept(disc, other)


async def test_of_two_payloads_at_once_at_the_end_of_the_stock_none_is_left_open(stage: Stage) -> None:
    disc, other = await stage.disc(stock=1), await stage.disc(stock=1)
    await stage.sell_out(disc, 2)
    await stage.sell_out(other, 2)
    payloads: list[Lines] = [{disc: 2}, {other: 2}, {disc: 3}, {disc: 1, other: 2}]

    async def contest(request_id: str, stubs: "Sequence[OrderServiceAsyncStub | None]") -> None:
        calls = [stage.place(request_id, lines, stub=stub) for lines in payloads for stub in stubs]
        together = [stage.place_together([request_id], lines) for lines in payloads]
        answers, _ = await asyncio.gather(asyncio.gather(*map(answer_of, calls)), asyncio.gather(*together))
        assert {told(answer)[0] for answer in answers} == {stage.order_id(request_id)}
        by_payload = [{told(answer)[1] for answer in answers[start : start + 2]} for start in range(0, len(calls), 2)]
        assert [len(said) for said in by_payload] == [1] * len(payloads), by_payload
        ends = [said.pop() for said in by_payload]
        assert ends.count("RequestIdReused") == len(payloads) - 1
        assert min(ends) in {"OutOfStock", "CANCELLED"}

    async with stage.second_order_service() as (_, stub):
        for _ in range(ROUNDS):
            await contest(f"contested-{uuid4()}", (None, stub))
    assert [await stage.books.stock(one) for one in (disc, other)] == [1, 1]
    await stage.promise_kept(disc, other)
