"""CancelOrder for a part: so many copies come back, exactly once, never more than were sold; the order keeps the rest."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest

from order_service import returns
from order_service.repository import OrderRepository
from order_service.return_model import CancelRequest, Disposition, OrderReturn
from recordshop.catalog.v1 import catalog_pb2
from recordshop.customer.v1 import customer_pb2
from service_runtime.database import Database
from service_runtime.primary import Primary
from service_runtime.quantities import Lines
from tests.conftest import ProvisionedPostgres
from tests.integration.order_desk import CALL_TIMEOUT_S, CANCELLED, CONFIRMED, RESTOCK, WRITE_OFF, OrderDesk, order_id
from tests.integration.query_plans import PLAN_MODES, plan_of, sequential_scans
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import RELEASED, RESERVED, StockRoom, new_id

EXCEEDS = (grpc.StatusCode.FAILED_PRECONDITION, "RETURN_EXCEEDS_SALE")
NOT_CANCELLABLE = (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE")
REUSED = (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


@pytest.fixture(scope="module")
async def customer_id(make_customer: Any) -> str:
    """An active customer, who may buy in all tests."""
    customer: customer_pb2.Customer = await make_customer()
    return customer.id


@pytest.fixture
async def two_discs(make_disc: Any) -> list[str]:
    """Two discs with 10 copies each, at 1,000 and 2,000 cents, in the order of their ids."""
    ids = sorted([new_id(), new_id()])
    for disc_id, price_cents in zip(ids, (1_000, 2_000), strict=True):
        await make_disc(stock=10, price_cents=price_cents, disc_id=disc_id)
    return ids


def returned(order: Any) -> list[int]:
    return [line.returned_quantity for line in order.lines]


async def test_a_part_comes_back_and_the_order_keeps_the_rest(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str
) -> None:
    one, other = two_discs
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    assert (returned(order), order.refunded_cents, order.total_cents) == ([0, 0], 0, 12_000)
    kept = await orders.cancel(order.id, lines=[(one, 1), (other, 3), (one, 1)])
    assert (kept.id, kept.status) == (order.id, CONFIRMED)
    assert (returned(kept), kept.refunded_cents, kept.total_cents) == ([2, 3], 8_000, 12_000)
    assert [line.quantity for line in kept.lines] == [4, 4]
    assert kept.update_time.ToDatetime() > order.update_time.ToDatetime()
    assert await orders.get(order.id) == kept
    assert list((await orders.page(customer_id=customer_id, page_size=1)).orders) == [kept]
    assert [await stock.left(disc_id) for disc_id in two_discs] == [8, 9]
    assert [audit.sold for audit in await orders.audit(*two_discs)] == [2, 1]
    await orders.agrees(*two_discs)


async def test_a_return_again_answers_the_same_and_another_request_id_returns_more(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str
) -> None:
    one, other = two_discs
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    first = await orders.cancel(order.id, "r-1", {one: 2})
    assert await orders.cancel(order.id.upper(), "r-1", [(one, 1), (one, 1)], RESTOCK) == first
    more = await orders.cancel(order.id, "r-2", {one: 2, other: 1})
    assert returned(more) == [4, 1]
    assert await orders.cancel(order.id, "r-1", {one: 2}) == more
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 7]
    await orders.agrees(*two_discs)


@pytest.mark.parametrize("in_steps", [True, False])
async def test_the_return_of_all_that_is_left_cancels_the_order(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str, *, in_steps: bool
) -> None:
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    if in_steps:
        await orders.cancel(order.id, "r-1", {two_discs[0]: 4})
    rest = {two_discs[1]: 4} if in_steps else dict.fromkeys(two_discs, 4)
    last = await orders.cancel(order.id, "r-2", rest)
    assert (last.status, returned(last), last.refunded_cents) == (CANCELLED, [4, 4], 12_000)
    assert await orders.cancel(order.id, "r-2", rest) == last
    assert await orders.cancel(order.id) == last
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 10]
    assert (await stock.reservation(order.id, *two_discs)).state == RELEASED
    await orders.agrees(*two_discs)


async def test_a_cancel_of_the_whole_after_parts_gives_back_only_what_is_still_held(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str
) -> None:
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    await orders.cancel(order.id, lines={two_discs[0]: 3})
    await orders.cancel(order.id, lines={two_discs[1]: 1}, disposition=WRITE_OFF)
    cancelled = await orders.cancel(order.id)
    assert (cancelled.status, returned(cancelled), cancelled.refunded_cents) == (CANCELLED, [4, 4], 12_000)
    assert [await stock.left(disc_id) for disc_id in two_discs] == [10, 9]
    await orders.agrees(*two_discs)


@pytest.mark.parametrize("parts", [0, 1])
async def test_all_that_is_left_is_written_off(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str, parts: int
) -> None:
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    for _ in range(parts):
        await orders.cancel(order.id, lines={two_discs[0]: 4})
    last = await orders.cancel(order.id, "w-1", disposition=WRITE_OFF)
    assert (last.status, returned(last)) == (CANCELLED, [4, 4])
    assert await orders.cancel(order.id, "w-1", disposition=WRITE_OFF) == last
    balances = [await stock.balance(disc_id) for disc_id in two_discs]
    assert [(balance.moved, balance.left) for balance in balances] == [(0, 10) if parts else (-4, 6), (-4, 6)]
    (movement,) = (await stock.movements(disc_id=two_discs[1])).movements
    assert movement.reason == f"WRITE_OFF: returned from order {order.id}"
    await orders.agrees(*two_discs)


async def test_a_request_id_stands_for_one_return(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str
) -> None:
    one, other = two_discs
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    await orders.cancel(order.id, "r", {one: 1})
    for call in (
        orders.cancel(order.id, "r", {one: 2}),
        orders.cancel(order.id, "r", {one: 1, other: 1}),
        orders.cancel(order.id, "r", {one: 1}, WRITE_OFF),
        orders.cancel(order.id, "r"),
        orders.cancel(order.id, "r", None, WRITE_OFF),
    ):
        assert (await refusal_of(call)).says(*REUSED, order_id=order.id)
    assert await stock.left(one) == 7
    second = await orders.create(customer_id, {one: 2})
    assert returned(await orders.cancel(second.id, "r", {one: 1})) == [1], "the id belongs to its order"
    await orders.cancel(second.id, "whole")
    assert (await refusal_of(orders.cancel(second.id, "whole", {one: 1}))).says(*REUSED, order_id=second.id)
    assert (await refusal_of(orders.cancel(second.id, "whole", None, WRITE_OFF))).says(*REUSED)
    await orders.agrees(*two_discs)


async def test_never_more_comes_back_than_was_sold(
    orders: OrderDesk, stock: StockRoom, two_discs: list[str], customer_id: str
) -> None:
    one, other = two_discs
    order = await orders.create(customer_id, dict.fromkeys(two_discs, 4))
    await orders.cancel(order.id, lines={one: 3})
    before = await orders.get(order.id)
    for _ in range(2):
        refusal = await refusal_of(orders.cancel(order.id, "r", {one: 2, other: 4}))
        figures = {"disc_id": f"{one},{other}", "asked": "2,4", "sold": "4,4", "returned": "3,0"}
        assert refusal.says(*EXCEEDS, order_id=order.id, **figures)
    stranger = new_id()
    refusal = await refusal_of(orders.cancel(order.id, "r", {stranger: 1}))
    assert refusal.says(*EXCEEDS, disc_id=stranger, asked="1", sold="0", returned="0")
    assert await orders.get(order.id) == before
    assert [await stock.left(disc_id) for disc_id in two_discs] == [9, 6]
    assert returned(await orders.cancel(order.id, "r", {one: 1})) == [4, 0], "a refusal takes no request_id"
    await orders.agrees(*two_discs)


async def test_nothing_comes_back_of_an_order_that_was_cancelled_or_rejected(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc, request_id = (await make_disc(stock=5)).id, new_id()
    order = await orders.create(customer_id, {disc: 5})
    await refusal_of(orders.create(customer_id, {disc: 2}, request_id))
    await orders.cancel(order.id)
    part = await refusal_of(orders.cancel(order.id, lines={disc: 2}))
    figures = {"status": "CANCELLED", "disc_id": disc, "asked": "2", "sold": "5", "returned": "5"}
    assert part.says(*NOT_CANCELLABLE, order_id=order.id, **figures)
    assert (await refusal_of(orders.cancel(order.id, disposition=WRITE_OFF))).says(*NOT_CANCELLABLE)
    rejected = order_id(customer_id, request_id)
    for lines in (None, {disc: 1}):
        refusal = await refusal_of(orders.cancel(rejected, lines=lines))
        assert refusal.says(*NOT_CANCELLABLE, order_id=rejected, status="REJECTED")
    assert await stock.left(disc) == 5
    await orders.agrees(disc)


async def test_copies_of_a_deleted_disc_come_back(
    orders: OrderDesk, stock: StockRoom, catalog_stub: Any, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=5)).id
    order = await orders.create(customer_id, {disc: 5})
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc), timeout=CALL_TIMEOUT_S)
    await orders.cancel(order.id, lines={disc: 2})
    assert (await orders.cancel(order.id, lines={disc: 1}, disposition=WRITE_OFF)).status == CONFIRMED
    assert await stock.left(disc) == 2
    await orders.agrees(disc)


async def test_an_unknown_order_is_not_found(orders: OrderDesk) -> None:
    for lines, disposition in (({new_id(): 1}, RESTOCK), (None, WRITE_OFF)):
        refusal = await refusal_of(orders.cancel(new_id(), lines=lines, disposition=disposition))
        assert refusal.says(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")


async def test_all_bad_fields_are_named_at_once(orders: OrderDesk) -> None:
    bad = orders.cancel("x", "a b", {"y": 0}, disposition=9)
    assert await bad_fields_of(bad) == {
        "order_id",
        "request_id",
        "lines[0].disc_id",
        "lines[0].quantity",
        "disposition",
    }
    assert await bad_fields_of(orders.cancel(new_id(), "r", [(new_id(), 1)] * 51)) == {"lines"}
    disc_id = new_id()
    assert await bad_fields_of(orders.cancel(new_id(), "r", [(disc_id, 600)] * 2)) == {"lines"}


async def test_returns_at_once_give_back_what_was_sold_and_no_more(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=10)).id
    order = await orders.create(customer_id, {disc: 10})
    calls = [orders.cancel(order.id, f"r-{n}", {disc: 3}, n % 3) for n in range(9)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 6
    assert all(isinstance(error, grpc.aio.AioRpcError) for error in refused)
    assert returned(await orders.get(order.id)) == [9]
    balance = await stock.balance(disc)
    assert (balance.left - balance.moved, balance.held) == (9, 1)
    await orders.agrees(disc)


async def test_equal_returns_at_once_are_one(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=40)).id
    placed = [await orders.create(customer_id, {disc: 4}) for _ in range(10)]
    for quantity, status in ((1, CONFIRMED), (3, CANCELLED)):
        calls = [orders.cancel(order.id, f"r-{quantity}", {disc: quantity}) for order in placed * 5]
        assert {answer.status for answer in await asyncio.gather(*calls)} == {status}
    assert await stock.left(disc) == 40
    await orders.agrees(disc)


@pytest.mark.parametrize("disposition", [RESTOCK, WRITE_OFF])
async def test_parts_that_race_cancels_of_the_whole_give_each_copy_back_once(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str, disposition: Any
) -> None:
    disc = (await make_disc(stock=100)).id
    placed = [await orders.create(customer_id, {disc: 5}) for _ in range(20)]
    parts = [orders.cancel(order.id, "part", {disc: 2}, disposition) for order in placed]
    wholes = [orders.cancel(order.id, "whole") for order in placed]
    answers = await asyncio.gather(
        *(call for pair in zip(parts, wholes, strict=True) for call in pair), return_exceptions=True
    )
    assert {answer.status for answer in answers[1::2]} == {CANCELLED}  # type: ignore[union-attr]
    came = sum(not isinstance(answer, BaseException) for answer in answers[::2])
    balance = await stock.balance(disc)
    assert (balance.moved, balance.held) == (-2 * came if disposition == WRITE_OFF else 0, 0)
    await orders.agrees(disc)


async def test_returned_copies_can_be_bought_again(orders: OrderDesk, make_disc: Any, customer_id: str) -> None:
    disc = (await make_disc(stock=3)).id
    order = await orders.create(customer_id, {disc: 3})
    await refusal_of(orders.create(customer_id, {disc: 1}))
    await orders.cancel(order.id, lines={disc: 2})
    assert (await orders.create(customer_id, {disc: 2})).status == CONFIRMED
    assert (await refusal_of(orders.create(customer_id, {disc: 1}))).reason == "OUT_OF_STOCK"
    await orders.agrees(disc)


async def test_a_replayed_create_answers_what_came_back(
    orders: OrderDesk, stock: StockRoom, make_disc: Any, customer_id: str
) -> None:
    disc, request_id = (await make_disc(stock=5)).id, new_id()
    order = await orders.create(customer_id, {disc: 4}, request_id)
    kept = await orders.cancel(order.id, lines={disc: 1})
    assert await orders.create(customer_id, {disc: 4}, request_id) == kept
    assert returned(kept) == [1]
    assert (await stock.reservation(order.id, disc)).state == RESERVED


async def test_a_return_is_not_begun_with_an_order_that_has_changed_since_it_was_read(
    orders: OrderDesk, shop: Any, make_disc: Any, customer_id: str
) -> None:
    disc = (await make_disc(stock=9)).id
    order = await orders.create(customer_id, {disc: 5})
    async with asyncpg.create_pool(shop.local.order_dsn, min_size=0, max_size=2) as pool:
        primary = Primary([], host_timeout_s=CALL_TIMEOUT_S)
        database = Database(pool, primary=primary, acquire_timeout_s=CALL_TIMEOUT_S)
        rows = returns.ReturnRepository(database=database, recovery_age_s=60)
        as_read = await OrderRepository(database=database, recovery_age_s=60).require(UUID(order.id), None)
        await orders.cancel(order.id, lines={disc: 1})
        late = CancelRequest(UUID(order.id), "late", Lines((UUID(disc),), (2,)), Disposition.RESTOCK, None)
        returning = OrderReturn(late.return_id, late.order_id, "late", late.fingerprint, late.lines, late.disposition)
        assert not await rows.begin(returning, as_read)
        assert await rows.find(late.return_id) is None
    assert returned(await orders.cancel(order.id, "late", {disc: 2})) == [3]
    await orders.agrees(disc)


@pytest.mark.parametrize("mode", PLAN_MODES)
async def test_no_statement_reads_a_whole_table(postgres: ProvisionedPostgres, mode: str) -> None:
    connection = await asyncpg.connect(postgres.dsn("orders", "order_service"), timeout=10)
    one, other = UUID(new_id()), UUID(new_id())
    try:
        for statement, values in (
            (returns.FIND, (one,)),
            (returns.GET, (one,)),
            (returns.BEGIN, (one, other, "r", "\\x00", [other], "{1}", "RESTOCK", "{1}", 1, None)),
            (returns.END, (one, other, "{1}", "CANCELLING", "r", "APPLIED")),
        ):
            plan = await plan_of(connection, mode, statement, *values)
            assert sequential_scans(plan) == [], plan
    finally:
        await connection.close()
