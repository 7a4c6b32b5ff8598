"""ListOrders: newest first, each order once, by tokens that are bound to their filters."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from recordshop.order.v1 import order_pb2
from tests.integration.order_desk import CANCELLED, CONFIRMED, PENDING, REJECTED, OrderDesk
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import new_id, walk

GARBAGE = ["x", "!!!!", "AAAA", "bnVsbA", "e30", "W10", "WyIiXQ", "A" * 1_025, "ä", "\0"]
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)

# Orders as they stand in the table, one a second from a moment on, the last one the newest.
SEED = """
INSERT INTO orders (
    id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status, reason, create_time
)
SELECT
    gen_random_uuid(), $1, 'r-' || n, decode(repeat('00', 16), 'hex'), 'Seeded', '***.000.000-**', ARRAY[gen_random_uuid()], '{1}',
    state, CASE WHEN state = 'REJECTED' THEN 'OUT_OF_STOCK' END, $3::timestamptz + n * $4::interval
FROM unnest($2::text[]) WITH ORDINALITY AS seed (state, n)
RETURNING id
"""


async def seed(
    order_admin: Any, statuses: list[str], *, start: datetime = LONG_AGO, step: timedelta = timedelta(seconds=1)
) -> str:
    """Write orders of a new customer past the service, oldest first, and return the customer's id."""
    customer_id = new_id()
    await order_admin.execute(SEED, UUID(customer_id), statuses, start, step)
    return customer_id


def timestamp(moment: datetime, *, nanos: int = 0) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    stamp.nanos += nanos
    return stamp


def request_ids(pages: list[order_pb2.ListOrdersResponse]) -> list[str]:
    return [order.request_id for page in pages for order in page.orders]


async def test_a_customers_orders_are_listed_newest_first_as_get_answers_them(
    orders: OrderDesk, make_disc: Any, make_customer: Any
) -> None:
    disc, customer, other = await make_disc(stock=3), await make_customer(), await make_customer()
    placed = [await orders.create(customer.id, {disc.id: 1}, f"r-{n}") for n in range(2)]
    await orders.create(other.id, {disc.id: 1})
    await refusal_of(orders.create(customer.id, {disc.id: 1}, "refused"))
    cancelled = await orders.cancel(placed[0].id)
    page = await orders.page(customer_id=customer.id.upper())
    assert [order.request_id for order in page.orders] == ["refused", "r-1", "r-0"]
    assert [order.status for order in page.orders] == [REJECTED, CONFIRMED, CANCELLED]
    assert list(page.orders) == [await orders.get(order.id) for order in page.orders]
    assert page.orders[2] == cancelled
    assert page.next_page_token == ""


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8])
async def test_a_walk_answers_each_order_once_whatever_the_page_size(
    orders: OrderDesk, order_admin: Any, page_size: int
) -> None:
    customer_id = await seed(order_admin, ["PENDING"] * 7)
    pages = await walk(orders.page, customer_id=customer_id, page_size=page_size)
    assert request_ids(pages) == [f"r-{n}" for n in range(7, 0, -1)]
    assert all(len(page.orders) <= page_size for page in pages)


async def test_the_last_page_has_no_token_though_it_is_full(orders: OrderDesk, order_admin: Any) -> None:
    customer_id = await seed(order_admin, ["PENDING"] * 6)
    pages = await walk(orders.page, customer_id=customer_id, page_size=3)
    assert [len(page.orders) for page in pages] == [3, 3]


async def test_orders_of_one_moment_are_each_listed_once(orders: OrderDesk, order_admin: Any) -> None:
    customer_id = await seed(order_admin, ["PENDING"] * 9, step=timedelta(0))
    listed = [
        order.id for page in await walk(orders.page, customer_id=customer_id, page_size=2) for order in page.orders
    ]
    assert len(listed) == 9
    assert listed == sorted(set(listed), reverse=True)


async def test_all_customers_orders_are_listed_newest_first(orders: OrderDesk, order_admin: Any) -> None:
    start = datetime(1999, 1, 1, tzinfo=UTC)
    for offset in range(3):
        await seed(order_admin, ["PENDING"] * 4, start=start + timedelta(minutes=offset))
    first = await orders.page(page_size=5)
    assert len(first.orders) == 5
    bounds = {"create_time_from": timestamp(start), "create_time_to": timestamp(start + timedelta(hours=1))}
    pages = await walk(orders.page, page_size=5, **bounds)
    times = [order.create_time.ToDatetime() for page in pages for order in page.orders]
    assert len(times) == 12
    assert times == sorted(times, reverse=True)


async def test_times_filter_from_a_moment_on_and_before_another(orders: OrderDesk, order_admin: Any) -> None:
    customer_id = await seed(order_admin, ["PENDING"] * 5)

    async def between(first: int | None, last: int | None, *, nanos: int = 0) -> list[str]:
        bounds = {
            name: timestamp(LONG_AGO + timedelta(seconds=second), nanos=nanos)
            for name, second in (("create_time_from", first), ("create_time_to", last))
            if second is not None
        }
        return request_ids(await walk(orders.page, customer_id=customer_id, page_size=2, **bounds))

    assert await between(2, 4) == ["r-3", "r-2"]
    assert await between(None, 3) == ["r-2", "r-1"]
    assert await between(4, None) == ["r-5", "r-4"]
    assert await between(3, 3) == []
    # A part of a microsecond later: the order of that second was created before it.
    assert await between(2, 4, nanos=1) == ["r-4", "r-3"]


async def test_a_status_filter_answers_only_its_orders(orders: OrderDesk, order_admin: Any) -> None:
    statuses = ["PENDING", "REJECTED", "CANCELLING", "PENDING", "CANCELLED", "REJECTED"]
    customer_id = await seed(order_admin, statuses)
    for status, expected in (
        (PENDING, ["r-4", "r-1"]),
        (REJECTED, ["r-6", "r-2"]),
        (order_pb2.ORDER_STATUS_CANCELLING, ["r-3"]),
        (CANCELLED, ["r-5"]),
        (CONFIRMED, []),
        (0, [f"r-{n}" for n in range(6, 0, -1)]),
    ):
        assert request_ids(await walk(orders.page, customer_id=customer_id, status=status, page_size=1)) == expected


async def test_a_status_filter_reads_ten_pages_worth_at_most_and_goes_on_by_its_token(
    orders: OrderDesk, order_admin: Any
) -> None:
    customer_id = await seed(order_admin, ["PENDING", *["REJECTED"] * 45, "PENDING"])
    pages = await walk(orders.page, customer_id=customer_id, status=PENDING, page_size=2)
    # 47 orders, 20 a call: one match among the newest 20, then a page without any, then the oldest.
    assert [[order.request_id for order in page.orders] for page in pages] == [["r-47"], [], ["r-1"]]


async def test_a_full_page_of_matches_does_not_skip_those_that_were_read_beyond_it(
    orders: OrderDesk, order_admin: Any
) -> None:
    customer_id = await seed(order_admin, ["PENDING", "REJECTED"] * 15)
    pages = await walk(orders.page, customer_id=customer_id, status=PENDING, page_size=4)
    assert request_ids(pages) == [f"r-{n}" for n in range(29, 0, -2)]
    assert all(len(page.orders) == 4 for page in pages[:-1])


async def test_a_walk_while_orders_come_answers_none_twice_and_misses_none_that_was_there(
    orders: OrderDesk, make_disc: Any, make_customer: Any
) -> None:
    disc, customer = await make_disc(stock=1_000), await make_customer()
    there = {(await orders.create(customer.id, {disc.id: 1})).id for _ in range(20)}
    walking = True

    async def buy() -> None:
        while walking:
            await orders.create(customer.id, {disc.id: 1})

    buyers = [asyncio.ensure_future(buy()) for _ in range(3)]
    for filters in ({"customer_id": customer.id}, {"customer_id": customer.id, "status": CONFIRMED}):
        pages = await walk(orders.page, page_size=3, **filters)
        listed = [order.id for page in pages for order in page.orders]
        assert len(listed) == len(set(listed))
        assert there <= set(listed)
    walking = False
    await asyncio.gather(*buyers)


async def test_pages_have_their_default_and_their_largest_size(orders: OrderDesk, order_admin: Any) -> None:
    customer_id = await seed(order_admin, ["PENDING"] * 101)
    for page_size, expected in ((0, 50), (5_000, 100), (99, 99), (2**31 - 1, 100)):
        page = await orders.page(customer_id=customer_id, page_size=page_size)
        assert (len(page.orders), bool(page.next_page_token)) == (expected, True)


async def test_a_customer_without_orders_has_an_empty_list(orders: OrderDesk) -> None:
    assert await orders.page(customer_id=new_id()) == order_pb2.ListOrdersResponse()


async def test_a_token_serves_only_the_filters_that_it_was_made_with(orders: OrderDesk, order_admin: Any) -> None:
    customer_id = await seed(order_admin, ["PENDING"] * 5)
    begin, end = timestamp(LONG_AGO), timestamp(LONG_AGO + timedelta(days=1))
    made_with = {"customer_id": customer_id, "status": PENDING, "create_time_from": begin, "create_time_to": end}
    token = (await orders.page(**made_with, page_size=2)).next_page_token
    for change in (
        {"customer_id": new_id()},
        {"customer_id": ""},
        {"status": REJECTED},
        {"status": 0},
        {"create_time_from": timestamp(LONG_AGO, nanos=1_000)},
        {"create_time_from": None},
        {"create_time_to": timestamp(LONG_AGO + timedelta(days=2))},
        {"create_time_to": None},
    ):
        assert await bad_fields_of(orders.page(**{**made_with, **change}, page_token=token)) == {"page_token"}
    without_end = (await orders.page(customer_id=customer_id, page_size=2)).next_page_token
    until_1970 = orders.page(customer_id=customer_id, create_time_to=Timestamp(), page_token=without_end)
    assert await bad_fields_of(until_1970) == {"page_token"}
    rest = await orders.page(**made_with, page_size=100, page_token=token)
    assert len(rest.orders) == 3


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_a_token_that_was_not_made_here_is_a_bad_field(orders: OrderDesk, garbage: str) -> None:
    assert await bad_fields_of(orders.page(page_token=garbage)) == {"page_token"}


async def test_all_bad_fields_are_named_at_once(orders: OrderDesk) -> None:
    assert await bad_fields_of(
        orders.page(
            customer_id="x",
            create_time_from=Timestamp(seconds=2**62),
            create_time_to=Timestamp(nanos=-1),
            status=99,
            page_size=-1,
            page_token="x",
        )
    ) >= {"customer_id", "create_time_from", "create_time_to", "status", "page_size", "page_token"}
    assert await bad_fields_of(orders.page(customer_id="\0")) == {"customer_id"}


async def test_the_end_must_not_be_before_the_beginning(orders: OrderDesk) -> None:
    later, sooner = timestamp(LONG_AGO, nanos=1_000), timestamp(LONG_AGO)
    assert await bad_fields_of(orders.page(create_time_from=later, create_time_to=sooner)) == {"create_time_to"}
