"""Rules about stock at every moment: how much there can have been, at least and at most, as far as callers could tell."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from tests.chaos.books import RELEASED, RESERVED, Books
from tests.chaos.history import APPLIED, CANCELLED, CONFIRMED, RETURNED, RETURNED_ALL, SOLD_OUT, History, Op
from tests.chaos.violation import Violation, about

FOREVER_S = float("inf")


class Steps:
    """A number that changes at moments."""

    def __init__(self, first: int, changes: Sequence[tuple[float, int]]) -> None:
        ordered = sorted(change for change in changes if change[0] < FOREVER_S)
        self._times = [at_s for at_s, _ in ordered]
        self._values = list(accumulate((delta for _, delta in ordered), initial=first))

    def least(self, from_s: float, to_s: float) -> int:
        """The smallest value between two moments."""
        return min(self._between(from_s, to_s))

    def most(self, from_s: float, to_s: float) -> int:
        """The largest value between two moments."""
        return max(self._between(from_s, to_s))

    @property
    def times(self) -> Sequence[float]:
        """The moments of change."""
        return self._times

    def _between(self, from_s: float, to_s: float) -> Sequence[int]:
        return self._values[bisect_right(self._times, from_s) : bisect_right(self._times, to_s) + 1]


def least_stock(history: History, books: Books) -> dict[str, Steps]:
    """Copies of each disc that were on the shelf at least.

    Whoever holds copies at last, or held them, may have had them from the first question on, until it was told that they came back. Copies
    that were delivered are there when that was told; those that were lost may be gone from the first question on. What was written off
    never came back onto the shelf.
    """
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for subject, ledger in books.ledger.items():
        first_s = _first_asked(history, subject, Op.CREATE)
        back_s = _first_told(history, subject, CANCELLED)
        for disc, row in ledger.items():
            if row.state in {RESERVED, RELEASED}:
                changes[disc].append((first_s, -row.quantity))
            if row.state == RELEASED:
                changes[disc].append((back_s, row.quantity - row.returned))
    for return_id, made in books.ledger_returns.items():
        for disc, quantity in () if made.is_written_off else made.lines:
            changes[disc].append((_first_told(history, return_id, RETURNED, RETURNED_ALL), quantity))
    for subject, movement in books.movements.items():
        if movement.state == APPLIED:
            asked_s = _first_asked(history, subject, Op.MOVE)
            at_s = _first_told(history, subject, APPLIED) if movement.delta > 0 else asked_s
            changes[movement.disc_id].append((at_s, movement.delta))
    return {disc: Steps(opening, changes[disc]) for disc, opening in history.opening.items()}


def sold_out_is_true(history: History, books: Books) -> Iterator[Violation]:
    """Who was refused asked for more than there can have been, at some moment from the first question to the refusal."""
    stock = least_stock(history, books)
    for subject, calls in history.calls.items():
        refused = [call for call in calls if call.outcome == SOLD_OUT]
        if not refused:
            continue
        first_s = min(call.start_s for call in calls if call.op is Op.CREATE)
        told_s = min(call.end_s for call in refused)
        lines = [(disc, quantity, stock[disc].least(first_s, told_s)) for disc, quantity in refused[0].lines]
        if all(least >= quantity for _, quantity, least in lines):
            there = ", ".join(
                f"{disc[:8]}: {quantity} asked, at least {least} there" for disc, quantity, least in lines
            )
            yield about(
                "sold out is true", subject, f"refused, though there were enough all the time: {there}", history, books
            )


def no_disc_is_oversold_at_any_moment(history: History, books: Books) -> Iterator[Violation]:
    """What was told to be sold, and is not being cancelled or returned, is never more than can have come until then."""
    came, sold = _came_at_most(history, books), _sold_at_least(history, books)
    for disc, opening in history.opening.items():
        at_most, at_least = Steps(opening, came[disc]), Steps(0, sold[disc])
        for at_s in sorted({*at_least.times}):
            if at_least.least(at_s, at_s) > at_most.most(at_s, at_s):
                what = f"{at_least.least(at_s, at_s)} sold at {at_s:.3f} s, of {at_most.most(at_s, at_s)} at most"
                yield Violation("never oversold", disc, what)
                break


def _came_at_most(history: History, books: Books) -> dict[str, list[tuple[float, int]]]:
    came: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for subject, movement in books.movements.items():
        asked_s = _first_asked(history, subject, Op.MOVE)
        at_s = asked_s if movement.delta > 0 else _first_told(history, subject, APPLIED)
        came[movement.disc_id].append((at_s, movement.delta if movement.state == APPLIED else 0))
    for return_id, made in books.ledger_returns.items():
        for disc, quantity in made.lines if made.is_written_off else ():
            came[disc].append((_first_told(history, return_id, RETURNED, RETURNED_ALL), -quantity))
    return came


def _sold_at_least(history: History, books: Books) -> dict[str, list[tuple[float, int]]]:
    sold: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for subject, wishes in history.wishes.items():
        told_s, ended_s = _sold_span(history, subject)
        lines = next(
            (call.lines for call in history.of(subject, Op.CREATE) if call.outcome == CONFIRMED), wishes[0].lines
        )
        if told_s < ended_s:
            for disc, quantity in lines:
                sold[disc] += [(told_s, quantity), (ended_s, -quantity)]
    for return_id, made in books.ledger_returns.items():
        told_s, ended_s = _sold_span(history, made.order_id)
        # From the first question on somebody else may have what comes back.
        asked_s = max(told_s, _first_asked(history, return_id, Op.RETURN))
        if asked_s < ended_s:
            for disc, quantity in made.lines:
                sold[disc] += [(asked_s, -quantity), (ended_s, quantity)]
    return sold


def _sold_span(history: History, subject: str) -> tuple[float, float]:
    """From when to when an order is sold for sure: told to be CONFIRMED, and asked to be cancelled."""
    cancels_s = (call.start_s for call in history.of(subject, Op.CANCEL))
    return _first_told(history, subject, CONFIRMED), min(cancels_s, default=FOREVER_S)


def _first_asked(history: History, subject: str, op: Op) -> float:
    return min((call.start_s for call in history.of(subject, op)), default=0.0)


def _first_told(history: History, subject: str, *outcomes: str) -> float:
    return min((call.end_s for call in history.of(subject) if call.outcome in outcomes), default=FOREVER_S)
