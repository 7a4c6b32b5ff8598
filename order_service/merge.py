"""Merging sorted streams without holding them in memory."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

Item = TypeVar("Item")
Left = TypeVar("Left")
Right = TypeVar("Right")


class Peekable(Generic[Item]):
    """A sorted stream whose next item can be looked at before it is taken."""

    def __init__(self, items: AsyncIterator[Item], *, key: Callable[[Item], Any]) -> None:
        self._items = items
        self._key = key
        self._next: Item | None = None
        self._ended = False

    async def peek(self) -> Item | None:
        """The next item, or None at the end."""
        if self._next is None and not self._ended:
            self._next = await anext(self._items, None)
            self._ended = self._next is None
        return self._next

    async def key(self) -> Any:
        """The key of the next item, or None at the end."""
        item = await self.peek()
        return None if item is None else self._key(item)

    async def take_if(self, key: object) -> Item | None:
        """Takes the next item if it has this key."""
        if await self.key() != key:
            return None
        item, self._next = self._next, None
        return item


async def merged(
    disc_id: UUID, left: Peekable[Left], right: Peekable[Right]
) -> AsyncIterator[tuple[UUID, Left | None, Right | None]]:
    """Takes one disc's items from two streams with keys (disc id, order id), and pairs those with equal order ids."""
    while True:
        keys = [key for key in (await left.key(), await right.key()) if key is not None and key[0] == disc_id]
        if not keys:
            return
        smallest = min(keys)
        yield smallest[1], await left.take_if(smallest), await right.take_if(smallest)
