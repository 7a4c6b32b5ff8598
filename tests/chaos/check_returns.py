"""Rules about copies that come back: each return once, as it was asked for, and never more than was sold."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.chaos.books import Books, OrderRow
from tests.chaos.history import APPLIED, CANCELLED, RETURNED, RETURNED_ALL, REUSED, Call, History
from tests.chaos.returned_books import LedgerReturn, ReturnRow, WriteOff
from tests.chaos.violation import Violation, about
from tests.chaos.wishes import Return

MADE = frozenset({RETURNED, RETURNED_ALL})
# These say that a return was not taken in, or leave it open whether it was.
NOT_TAKEN_IN = frozenset({"NOT_ACCEPTED", "OVERLOADED", "ORDER_NOT_FOUND", "ORDER_NOT_DECIDED"})
TURNED_AWAY = frozenset({"ORDER_NOT_CANCELLABLE", "RETURN_EXCEEDS_SALE"})


def returns_are_made_once(history: History, books: Books) -> Iterator[Violation]:
    """Both databases have made each return, with the same copies, and what came back of an order is what its returns say."""
    for return_id in sorted({*books.returns, *books.ledger_returns}):
        row, made = books.returns.get(return_id), books.ledger_returns.get(return_id)
        if row is None or made is None or row.state != APPLIED or _content(made) != _content(row):
            yield about("returns once", return_id, f"the order has {row}, the catalog {made}", history, books)
    back = _back_by_line(books)
    for subject, order in books.orders.items():
        ledger = books.ledger.get(subject, {})
        for disc, quantity in order.lines:
            counts = (
                back[subject, disc],
                dict(order.returned).get(disc, 0),
                ledger[disc].returned if disc in ledger else 0,
            )
            if len(set(counts)) > 1 or not 0 <= counts[0] <= quantity:
                what = f"of {quantity} came back: {counts[0]} by returns, {counts[1]} of the order, {counts[2]} of the ledger"
                yield about("returns once", subject, what, history, books)


def returns_are_as_asked_for(history: History, books: Books) -> Iterator[Violation]:
    """Each return is what somebody asked for under its id, and nobody was told that it was not taken in."""
    for return_id, row in books.returns.items():
        asked = [returning for returning in history.returns.get(return_id, []) if _is_made_by(returning, row)]
        if not asked:
            yield about("returns as asked for", return_id, f"nobody asked for {row}", history, books)
            continue
        calls = [call for call in history.of(return_id) if call.returning in asked]
        if all(call.outcome in NOT_TAKEN_IN | TURNED_AWAY for call in calls):
            yield about("returns as asked for", return_id, f"told that nothing was done, and {row}", history, books)


def return_answers_are_true(history: History, books: Books) -> Iterator[Violation]:
    """Who was told that copies are back, or cannot come back, or that the id stands for another return, was told so rightly."""
    for return_id, wishes in history.returns.items():
        row = books.returns.get(return_id)
        order = books.orders.get(wishes[0].order_id)
        for call in history.of(return_id):
            wrong = call.is_decided and call.returning is not None and _wrong_answer(call, call.returning, row, order)
            if wrong:
                yield about("return answers", return_id, f"{wrong}: {call}", history, books)
                break


def returned_copies_stay_returned(history: History, books: Books) -> Iterator[Violation]:
    """No answer tells of fewer copies that came back than one that was known before the question, or than are written down."""
    by_order: dict[str, list[Call]] = {}
    for calls in history.calls.values():
        for call in calls:
            if call.back is not None:
                by_order.setdefault(call.order_id, []).append(call)
    for subject, calls in by_order.items():
        order = books.orders.get(subject)
        if wrong := _went_back(calls) or (_too_many(calls, order) if order is not None else None):
            yield about(
                "returned stays", subject, f"what came back is told otherwise before or after: {wrong}", history, books
            )


def write_offs_are_told(history: History, books: Books) -> Iterator[Violation]:
    """Copies that were written off left by a movement that names their order, once; those for the shelf by none."""
    wanted = {
        (return_id, disc): WriteOff(-quantity, APPLIED, f"WRITE_OFF: returned from order {made.order_id}")
        for return_id, made in books.ledger_returns.items()
        if made.is_written_off
        for disc, quantity in made.lines
    }
    for return_id, disc in sorted({*wanted, *books.write_offs}):
        told = books.write_offs.get((return_id, disc))
        if told != wanted.get((return_id, disc)):
            yield about("write-offs told", return_id, f"the ledger of movements says {told} of {disc}", history, books)


def _content(returned: ReturnRow | LedgerReturn) -> tuple[object, ...]:
    return returned.order_id, returned.is_written_off, returned.lines


def _back_by_line(books: Books) -> Counter[tuple[str, str]]:
    back: Counter[tuple[str, str]] = Counter()
    for row in books.returns.values():
        if row.state == APPLIED:
            back.update({(row.order_id, disc): quantity for disc, quantity in row.lines})
    return back


def _is_made_by(returning: Return, row: ReturnRow) -> bool:
    """Whether a return is what was asked for: all that is left may be however much."""
    asked = (returning.order_id, returning.request_id, returning.is_written_off)
    return asked == (row.order_id, row.request_id, row.is_written_off) and returning.lines in {(), row.lines}


def _wrong_answer(call: Call, returning: Return, row: ReturnRow | None, order: OrderRow | None) -> str:
    is_made = row is not None and row.state == APPLIED and _is_made_by(returning, row)
    if call.outcome in MADE:
        return (
            _wrongly_made(call, returning, row, order)
            if is_made and row is not None
            else "told to be back, and not there"
        )
    if call.outcome in TURNED_AWAY and is_made:
        return "turned away, and made"
    if call.outcome == REUSED and (row is None or _is_made_by(returning, row)):
        return "told of another return, and there is none"
    return ""


def _wrongly_made(call: Call, returning: Return, row: ReturnRow, order: OrderRow | None) -> str:
    told = dict(call.back or ())
    if call.order_id != returning.order_id:
        return "answered with another order"
    if any(told.get(disc, 0) < quantity for disc, quantity in row.lines):
        return "told to be back, and not counted"
    if call.outcome == RETURNED_ALL and (order is None or order.status != CANCELLED):
        return "told to be the last, and the order is not CANCELLED"
    return ""


def _went_back(calls: Sequence[Call]) -> Call | None:
    ended = sorted(calls, key=lambda call: call.end_s)
    most, place = 0, 0
    for call in sorted(calls, key=lambda call: call.start_s):
        while place < len(ended) and ended[place].end_s <= call.start_s:
            most = max(most, _copies_back(ended[place]))
            place += 1
        if _copies_back(call) < most:
            return call
    return None


def _too_many(calls: Sequence[Call], order: OrderRow) -> Call | None:
    written = dict(order.lines if order.status == CANCELLED else order.returned)
    return next(
        (call for call in calls if any(quantity > written.get(disc, 0) for disc, quantity in call.back or ())), None
    )


def _copies_back(call: Call) -> int:
    return sum(quantity for _, quantity in call.back or ())
