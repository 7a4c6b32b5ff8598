"""Two sorted streams side by side: every item comes once, next to its namesake if there is one."""

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from order_service.merge import Peekable, merged

Key = tuple[UUID, UUID]

# Few ids, so that the two streams often hold the same ones.
ids = st.integers(1, 4).map(lambda number: UUID(int=number))
keys = st.sets(st.tuples(ids, ids))


async def stream(items: Iterable[Key]) -> AsyncIterator[Key]:
    for item in items:
        yield item


def peekable(items: set[Key]) -> Peekable[Key]:
    return Peekable(stream(sorted(items)), key=lambda item: item)


@given(keys, keys)
async def test_all_items_of_all_discs_come_once_in_order_and_paired(left: set[Key], right: set[Key]) -> None:
    streams = peekable(left), peekable(right)
    came = []
    for disc_id in sorted({disc_id for disc_id, _ in left | right}):
        came += [(disc_id, *row) async for row in merged(disc_id, *streams)]
    expected = [
        (disc_id, order_id, key if key in left else None, key if key in right else None)
        for key in sorted(left | right)
        for disc_id, order_id in [key]
    ]
    assert came == expected


@given(keys, keys)
async def test_a_disc_that_is_not_in_the_streams_takes_nothing_from_them(left: set[Key], right: set[Key]) -> None:
    streams = peekable(left), peekable(right)
    assert [row async for row in merged(UUID(int=0), *streams)] == []
    assert [await stream.peek() for stream in streams] == [min(left, default=None), min(right, default=None)]
