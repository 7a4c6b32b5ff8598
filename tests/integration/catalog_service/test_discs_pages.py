"""ListDiscs: a walk over pages lists each disc once, whatever happens meanwhile."""

import asyncio
import base64
from collections import Counter

import pytest

from tests.integration.catalog_service.shelf import Shelf, exact, new_word, partial
from tests.integration.refusals import bad_fields_of


async def add(discs: Shelf, artist: str, count: int) -> list[str]:
    added = await asyncio.gather(*(discs.create(artist=artist, name=f"Volume {n}") for n in range(count)))
    return sorted(disc.id for disc in added)


async def test_pages_come_in_the_order_of_ids_and_the_last_one_has_no_token(discs: Shelf) -> None:
    artist = new_word()
    ids = await add(discs, artist, 7)
    pages = await discs.walk(artist=exact(artist), page_size=3)
    assert [[disc.id for disc in page.discs] for page in pages] == [ids[:3], ids[3:6], ids[6:]]


async def test_a_full_last_page_is_not_followed_by_an_empty_one(discs: Shelf) -> None:
    artist = new_word()
    await add(discs, artist, 6)
    pages = await discs.walk(artist=exact(artist), page_size=3)
    assert [len(page.discs) for page in pages] == [3, 3]


async def test_a_page_has_fifty_discs_unless_asked_and_a_hundred_at_most(discs: Shelf) -> None:
    artist = new_word()
    await add(discs, artist, 101)
    sizes = {0: 50, 1: 1, 100: 100, 101: 100, 2_147_483_647: 100}
    for asked, answered in sizes.items():
        page = await discs.page(artist=exact(artist), page_size=asked)
        assert len(page.discs) == answered
        assert page.next_page_token


async def test_a_walk_may_change_the_size_of_its_pages(discs: Shelf) -> None:
    artist = new_word()
    ids = await add(discs, artist, 5)
    first = await discs.page(artist=exact(artist), page_size=2)
    rest = await discs.page(artist=exact(artist), page_size=10, page_token=first.next_page_token)
    assert [disc.id for disc in [*first.discs, *rest.discs]] == ids


async def test_a_walk_while_discs_are_added_and_sold_lists_each_disc_once(discs: Shelf) -> None:
    artist = new_word()
    there = await add(discs, artist, 40)
    walk_ended = asyncio.Event()

    async def keep_adding() -> int:
        added = 0
        while not walk_ended.is_set() and added < 2_000:
            await discs.create(artist=artist, name="Meanwhile")
            await discs.update(there[added % len(there)], price_cents=added + 1)
            added += 1
        return added

    async def walk() -> list[str]:
        try:
            return [disc_id for _ in range(5) for disc_id in await discs.ids(artist=exact(artist), page_size=4)]
        finally:
            walk_ended.set()

    added, listed = await asyncio.gather(keep_adding(), walk())
    assert added > 0
    counts = Counter(listed)
    assert {counts[disc_id] for disc_id in there} == {5}
    assert max(counts.values()) == 5


async def test_a_walk_goes_on_where_the_next_disc_was_deleted(discs: Shelf) -> None:
    artist = new_word()
    ids = await add(discs, artist, 5)
    first = await discs.page(artist=exact(artist), page_size=2)
    await discs.delete(ids[2])
    rest = await discs.page(artist=exact(artist), page_token=first.next_page_token)
    assert [disc.id for disc in rest.discs] == ids[3:]


async def test_a_walk_over_everything_lists_every_disc_once(discs: Shelf) -> None:
    ids = await add(discs, new_word(), 3)
    listed = await discs.ids(page_size=100)
    assert listed == sorted(set(listed))
    assert set(ids) <= set(listed)


async def test_a_token_is_bound_to_its_filters(discs: Shelf) -> None:
    artist = new_word()
    await add(discs, artist, 3)
    token = (await discs.page(artist=exact(artist), page_size=1)).next_page_token
    others = (
        {},
        {"artist": partial(artist)},
        {"name": exact(artist)},
        {"artist": exact(artist), "in_stock": False},
        {"artist": exact(artist), "show_deleted": True},
        {"artist": exact(artist), "year_of_release_to": 2000},
    )
    for other in others:
        assert await bad_fields_of(discs.page(**other, page_token=token)) == {"page_token"}


@pytest.mark.parametrize("token", ["x", "%%%", "\0", "é", "A" * 1_025, base64.b64encode(b'["a","b"]').decode()])
async def test_a_token_that_no_page_gave_is_refused(discs: Shelf, token: str) -> None:
    assert await bad_fields_of(discs.page(page_token=token)) == {"page_token"}
