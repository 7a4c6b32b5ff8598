"""Rules about those who watch: nothing is left out, nothing is told twice, and it is true."""

from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.books import Books
from tests.chaos.history import History, Seen
from tests.chaos.violation import Violation


def every_move_is_told_once(history: History, books: Books) -> Iterator[Violation]:
    """Each watcher was told every move of each disc, in order, up to the last, with what the table says was left."""
    for number, watched in enumerate(history.watched):
        for disc, told in watched.items():
            wrong = _first_wrong(told, books.changes.get(disc, {}), books.revisions.get(disc, 0))
            if wrong:
                yield Violation("every move is told once", disc, f"watcher {number} {wrong}")


def _first_wrong(told: Sequence[Seen], kept: Mapping[int, int], newest: int) -> str:
    last: int | None = 0
    for revision, stock in told:
        if revision is not None:
            if last is not None and revision != last + 1:
                return f"was told revision {revision} after {last}"
            if kept.get(revision, stock) != stock:
                return f"was told {stock} left at revision {revision}, where {kept[revision]} are written"
        last = revision
    return "" if last == newest else f"was told the moves up to revision {last}, of {newest}"
