"""Watches of discs' stock: from what a caller has seen, every change, once and in order."""

from collections.abc import AsyncIterator, Iterable, Sequence
from uuid import UUID

from catalog_service.stock.changes import READ_MAX, Found
from catalog_service.stock.model import Position, StockChange
from service_runtime.errors import ServiceError
from service_runtime.watching import WatchHub


class StockWatching:
    """Follows discs for those who watch them."""

    def __init__(self, *, hub: WatchHub[Position, Found]) -> None:
        self._hub = hub

    async def watch(self, positions: Sequence[Position]) -> AsyncIterator[list[StockChange]]:
        """Answers changes as they come: of each disc those after its position, or first the disc as it is now; never ends by itself.

        Raises Overloaded, WatchEnded, DatabaseUnavailable, and the errors of StockChanges.
        """
        seen = dict(positions)
        at_once = True
        with self._hub.watching(list(seen)):
            while True:
                news = await self._hub.news([Position(*position) for position in seen.items()], at_once=at_once)
                found = [_changes(answer) for answer in news.values()]
                seen |= {changes[-1].disc_id: changes[-1].revision for changes in found}
                at_once = any(len(changes) == READ_MAX for changes in found)
                yield [change for changes in found for change in changes]

    def moved(self, disc_ids: Iterable[UUID]) -> None:
        """Tells that this process may have moved the stock of discs: whoever watches them need not wait long."""
        self._hub.hint(disc_ids)


def _changes(found: Found) -> Sequence[StockChange]:
    if isinstance(found, ServiceError):
        raise found
    return found
