"""The stock room's lists: every entry once, in order, by tokens that are bound to their filters."""

from typing import Any

import pytest

from recordshop.catalog.v1 import catalog_pb2
from service_runtime import page_tokens
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import (
    CALL_TIMEOUT_S,
    DENIED,
    RELEASED,
    RESERVED,
    StockRoom,
    new_id,
    walk,
)

GARBAGE = ["x", "!!!!", "AAAA", "bnVsbA", "e30", "W10", "WyIiXQ", "A" * 1_025, "ä", "\0", "9" * 1_000]


@pytest.fixture
async def busy_disc(stock: StockRoom, make_disc: Any) -> str:
    """A disc with seven reservations: four reserved, one refused, one released, one released before it was reserved."""
    disc_id: str = (await make_disc(stock=10)).id
    for _ in range(5):
        last = await stock.reserve(new_id(), {disc_id: 1})
    await stock.release(last.reservation_id, disc_id)
    await refusal_of(stock.reserve(new_id(), {disc_id: 100}))
    await stock.release(new_id(), disc_id)
    return disc_id


def keys(pages: list[Any]) -> list[tuple[str, str]]:
    return [(entry.line.disc_id, entry.reservation_id) for page in pages for entry in page.entries]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8, 0])
async def test_a_discs_entries_are_listed_once_each_in_order(stock: StockRoom, busy_disc: str, page_size: int) -> None:
    pages = await walk(stock.entries, disc_id=busy_disc, page_size=page_size)
    listed = keys(pages)
    assert len(listed) == 7
    assert listed == sorted(set(listed))
    assert {disc_id for disc_id, _ in listed} == {busy_disc}
    assert all(len(page.entries) <= (page_size or 100) for page in pages)


async def test_entries_say_what_get_says(stock: StockRoom, busy_disc: str) -> None:
    for entry in (await stock.entries(disc_id=busy_disc)).entries:
        reservation = await stock.reservation(entry.reservation_id, busy_disc)
        assert (entry.state, list(reservation.lines)) == (reservation.state, [entry.line])
        assert (entry.create_time, entry.update_time) == (reservation.create_time, reservation.update_time)


@pytest.mark.parametrize(("state", "count"), [(RESERVED, 4), (DENIED, 1), (RELEASED, 2), (0, 7)])
async def test_entries_are_filtered_by_state(stock: StockRoom, busy_disc: str, state: Any, count: int) -> None:
    pages = await walk(stock.entries, disc_id=busy_disc, state=state, page_size=2)
    states = [entry.state for page in pages for entry in page.entries]
    assert len(states) == count
    assert state == 0 or set(states) == {state}


async def test_the_whole_ledger_is_walked_in_the_order_of_discs_and_ids(
    stock: StockRoom, busy_disc: str, make_disc: Any
) -> None:
    other = (await make_disc(stock=10)).id
    reservation_id = new_id()
    await stock.reserve(reservation_id, {busy_disc: 1, other: 1})
    listed = keys(await walk(stock.entries, page_size=1_000))
    assert listed == sorted(set(listed))
    assert {(busy_disc, reservation_id), (other, reservation_id)} <= set(listed)


async def test_movements_are_listed_once_each_in_order(stock: StockRoom, make_disc: Any) -> None:
    disc_id, other = [(await make_disc(stock=5)).id for _ in range(2)]
    ids = ["b", "B", "a-1", "a_1", "a.1", "a:1", "10", "9"]
    for movement_id in ids:
        await stock.adjust(disc_id, 1, movement_id=movement_id)
    await stock.adjust(other, 1, movement_id="b")
    pages = await walk(stock.movements, disc_id=disc_id, page_size=3)
    assert [movement.movement_id for page in pages for movement in page.movements] == sorted(ids)
    everything = await walk(stock.movements, page_size=100)
    listed = [(movement.disc_id, movement.movement_id) for page in everything for movement in page.movements]
    assert listed == sorted(set(listed))
    assert {(disc_id, "b"), (other, "b")} <= set(listed)


async def test_a_disc_without_movements_and_an_unknown_disc_have_empty_lists(stock: StockRoom, make_disc: Any) -> None:
    for disc_id in ((await make_disc(stock=5)).id, new_id()):
        for page in (await stock.movements(disc_id=disc_id), await stock.entries(disc_id=disc_id)):
            assert page == type(page)()


async def test_balances_list_deleted_discs_and_leave_out_unknown_ones(
    stock: StockRoom, catalog_stub: Any, make_disc: Any
) -> None:
    ids = sorted([(await make_disc(stock=count)).id for count in range(5)])
    await catalog_stub.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=ids[2]), timeout=CALL_TIMEOUT_S)
    asked = [ids[4], new_id(), ids[0], ids[2], ids[0].upper(), ids[1], ids[3]]
    pages = await walk(stock.balances, disc_ids=asked, page_size=2)
    assert [balance.disc_id for page in pages for balance in page.balances] == ids
    everything = await walk(stock.balances, page_size=100)
    listed = [balance.disc_id for page in everything for balance in page.balances]
    assert listed == sorted(set(listed))
    assert set(ids) <= set(listed)


async def test_the_last_page_has_no_token_though_it_is_full(stock: StockRoom, make_disc: Any) -> None:
    discs = [(await make_disc(stock=9)).id for _ in range(4)]
    for number in range(4):
        await stock.reserve(new_id(), {discs[0]: 1})
        await stock.adjust(discs[0], 1, movement_id=str(number))
    for pages in (
        await walk(stock.entries, disc_id=discs[0], page_size=2),
        await walk(stock.movements, disc_id=discs[0], page_size=2),
        await walk(stock.balances, disc_ids=discs, page_size=2),
    ):
        assert len(pages) == 2


async def test_an_entry_that_comes_during_a_walk_does_not_move_the_others(stock: StockRoom, busy_disc: str) -> None:
    at_start = keys(await walk(stock.entries, disc_id=busy_disc))
    page = await stock.entries(disc_id=busy_disc, page_size=1)
    listed = keys([page])
    while page.next_page_token:
        if len(listed) < 5:
            await stock.reserve(new_id(), {busy_disc: 1})
        page = await stock.entries(disc_id=busy_disc, page_size=1, page_token=page.next_page_token)
        listed += keys([page])
    assert listed == sorted(set(listed))
    assert set(at_start) <= set(listed)


async def test_a_token_serves_only_the_filters_that_it_was_made_with(
    stock: StockRoom, busy_disc: str, make_disc: Any
) -> None:
    other = (await make_disc(stock=5)).id
    for movement_id in "ab":
        await stock.adjust(busy_disc, 1, movement_id=movement_id)
    entries = (await stock.entries(disc_id=busy_disc, state=RESERVED, page_size=1)).next_page_token
    movements = (await stock.movements(disc_id=busy_disc, page_size=1)).next_page_token
    balances = (await stock.balances(disc_ids=[busy_disc, other], page_size=1)).next_page_token
    for call in (
        stock.entries(disc_id=other, state=RESERVED, page_token=entries),
        stock.entries(disc_id=busy_disc, state=RELEASED, page_token=entries),
        stock.entries(disc_id=busy_disc, page_token=entries),
        stock.entries(page_token=entries),
        stock.entries(disc_id=busy_disc, page_token=movements),
        stock.movements(disc_id=other, page_token=movements),
        stock.movements(page_token=movements),
        stock.movements(disc_id=busy_disc, page_token=entries),
        stock.balances(disc_ids=[busy_disc], page_token=balances),
        stock.balances(page_token=balances),
        stock.balances(disc_ids=[busy_disc, other], page_token=movements),
    ):
        assert await bad_fields_of(call) == {"page_token"}


async def test_a_token_serves_another_page_size(stock: StockRoom, busy_disc: str) -> None:
    first = await stock.entries(disc_id=busy_disc, page_size=2)
    rest = await stock.entries(disc_id=busy_disc, page_size=100, page_token=first.next_page_token)
    assert len(rest.entries) == 5
    assert rest.next_page_token == ""


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_a_token_that_was_not_made_here_is_a_bad_field(stock: StockRoom, garbage: str) -> None:
    for call in (
        stock.entries(page_token=garbage),
        stock.movements(page_token=garbage),
        stock.balances(page_token=garbage),
    ):
        assert await bad_fields_of(call) == {"page_token"}


async def test_pages_have_their_default_and_their_largest_size(
    stock: StockRoom, make_disc: Any, catalog_admin: Any
) -> None:
    disc_id = (await make_disc(stock=0)).id
    await catalog_admin.execute(
        "INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count)"
        " SELECT $1, gen_random_uuid(), 'RELEASED', 0, 1 FROM generate_series(1, 1001)",
        disc_id,
    )
    await catalog_admin.execute(
        "INSERT INTO stock_movements (disc_id, movement_id, delta, reason, state, stock_left)"
        " SELECT $1, 'm-' || n, 1, 'seeded', 'REFUSED', 0 FROM generate_series(1, 101) AS n",
        disc_id,
    )
    for page_size, entries, movements in ((0, 100, 50), (5_000, 1_000, 100), (99, 99, 99)):
        assert len((await stock.entries(disc_id=disc_id, page_size=page_size)).entries) == entries
        assert len((await stock.movements(disc_id=disc_id, page_size=page_size)).movements) == movements


async def test_a_made_up_key_is_a_bad_token_though_its_filters_are_right(stock: StockRoom) -> None:
    for key in ([new_id(), "\ud800"], [new_id(), "\0"], [new_id()], ["x", "y"], [new_id(), "a", "b"]):
        token = page_tokens.encode(("movements", None), key)
        assert await bad_fields_of(stock.movements(page_token=token)) == {"page_token"}
