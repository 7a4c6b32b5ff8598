"""Rules about what callers were told."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.chaos.books import Books, OrderRow
from tests.chaos.history import (
    CANCELLED,
    CANCELLING,
    CONFIRMED,
    PENDING,
    REJECTED,
    RETURNED,
    RETURNED_ALL,
    REUSED,
    SOLD_OUT,
    UNDECIDED,
    Call,
    History,
    Op,
)
from tests.chaos.violation import Violation, about
from tests.chaos.wishes import Lines

BOUGHT = frozenset({CONFIRMED, CANCELLING, CANCELLED})
# What the protos name, for the calls that the load makes.
KNOWN = {
    Op.CREATE: UNDECIDED | BOUGHT | {SOLD_OUT, REUSED},
    Op.CANCEL: UNDECIDED | {CANCELLED, "ORDER_NOT_FOUND", "ORDER_NOT_CANCELLABLE"},
    Op.GET: UNDECIDED | BOUGHT | {REJECTED, "ORDER_NOT_FOUND"},
    Op.MOVE: UNDECIDED | {"APPLIED", "STOCK_BELOW_ZERO"},
    Op.RETURN: UNDECIDED
    | {
        RETURNED,
        RETURNED_ALL,
        REUSED,
        "ORDER_NOT_FOUND",
        "ORDER_NOT_DECIDED",
        "ORDER_NOT_CANCELLABLE",
        "RETURN_EXCEEDS_SALE",
    },
}
# These promise that their call did nothing.
NOTHING_DONE = frozenset({"NOT_ACCEPTED", "OVERLOADED"})
# How far an order, or a return, had come for an answer to be given.
RANKS = {
    "ORDER_NOT_FOUND": 0,
    PENDING: 1,
    CONFIRMED: 2,
    SOLD_OUT: 2,
    REJECTED: 2,
    "ORDER_NOT_CANCELLABLE": 2,
    "ORDER_NOT_DECIDED": 1,
    "RETURN_EXCEEDS_SALE": 2,
    RETURNED: 3,
    CANCELLING: 3,
    CANCELLED: 4,
    RETURNED_ALL: 4,
}
REFUSED = frozenset({SOLD_OUT, REJECTED, "ORDER_NOT_CANCELLABLE"})


def one_order_for_each_request(history: History, books: Books) -> Iterator[Violation]:
    """All answers to one request name one order, and the books have one."""
    by_request = defaultdict(set)
    for subject, order in books.orders.items():
        by_request[order.customer_id, order.request_id].add(subject)
    for subject, wishes in history.wishes.items():
        named = {call.order_id for call in history.of(subject) if call.order_id}
        ids = named | by_request[wishes[0].customer_id, wishes[0].request_id]
        if not ids <= {subject}:
            yield about("one order", subject, f"this request has the orders {sorted(ids)}", history, books)


def acknowledged_orders_are_there(history: History, books: Books) -> Iterator[Violation]:
    """Who was told that an order is CONFIRMED finds it, with the same content; it is CANCELLED only if somebody asked for that."""
    for subject, calls in history.calls.items():
        order = books.orders.get(subject)
        if order is None and any(call.op is Op.CREATE and call.outcome == PENDING for call in calls):
            yield about("acknowledged is there", subject, "told to be PENDING, and not there", history, books)
        told = [call for call in calls if call.outcome in BOUGHT]
        if not told:
            continue
        if order is None:
            yield about("acknowledged is there", subject, "acknowledged, and not there", history, books)
            continue
        if order.status == REJECTED:
            yield about("acknowledged is there", subject, "acknowledged, and REJECTED", history, books)
        was_confirmed = any(call.outcome == CONFIRMED for call in told)
        if order.status == CANCELLED and was_confirmed and not _may_be_cancelled(calls, order):
            yield about("acknowledged is there", subject, "CANCELLED, and nobody asked for that", history, books)
        if order.status == CONFIRMED and any(call.outcome == CANCELLED for call in told):
            yield about("acknowledged is there", subject, "told to be CANCELLED, and CONFIRMED", history, books)
        if wrong := [call for call in told if not _has_content(call, order.lines, order.total_cents)]:
            yield about("acknowledged is there", subject, f"other content: {wrong[0]}", history, books)


def refusals_stay(history: History, books: Books) -> Iterator[Violation]:
    """Who was refused is refused for good, with the same figures."""
    for subject in history.wishes:
        calls = history.of(subject)
        refused = [call for call in calls if call.outcome in REFUSED]
        if not refused:
            continue
        order = books.orders.get(subject)
        if order is None or order.status != REJECTED:
            status = order.status if order else "not there"
            yield about("refusals stay", subject, f"refused, and the order is {status}", history, books)
        if any(call.outcome in BOUGHT for call in calls):
            yield about("refusals stay", subject, "refused, and sold as well", history, books)
        if len(figures := {call.figures for call in refused if call.outcome == SOLD_OUT}) > 1:
            yield about("refusals stay", subject, f"refused with several figures: {sorted(figures)}", history, books)


def answers_do_not_go_back(history: History, books: Books) -> Iterator[Violation]:
    """An answer never tells of an earlier state than one that was known before the question."""
    for subject, calls in history.calls.items():
        # Who has come that far by then: the latest state that any answer told until each moment.
        ended = sorted((call for call in calls if call.outcome in RANKS), key=lambda call: call.end_s)
        begun = sorted(ended, key=lambda call: call.start_s)
        latest, place = -1, 0
        for call in begun:
            while place < len(ended) and ended[place].end_s <= call.start_s:
                latest = max(latest, RANKS[ended[place].outcome])
                place += 1
            if RANKS[call.outcome] < latest:
                yield about("answers do not go back", subject, f"went back: {call}", history, books)
                break


def one_payload_wins(history: History, books: Books) -> Iterator[Violation]:
    """Of several payloads under one request_id one is taken; REQUEST_ID_REUSED is said to the others, and to nobody else."""
    for subject, wishes in history.wishes.items():
        calls = history.of(subject, Op.CREATE)
        taken: set[Lines] = {call.lines for call in calls if call.outcome in BOUGHT | {SOLD_OUT}}
        reused = {call.lines for call in calls if call.outcome == REUSED}
        if len(taken) > 1:
            yield about("one payload", subject, f"several were taken: {sorted(taken)}", history, books)
        if taken & reused:
            yield about("one payload", subject, "one was taken and said to be another", history, books)
        if reused and len(wishes) == 1:
            yield about("one payload", subject, "there was no other payload", history, books)


def only_known_answers(history: History, books: Books) -> Iterator[Violation]:
    """Nobody is answered what the protos do not name, such as INTERNAL."""
    for subject, calls in history.calls.items():
        if strange := [call for call in calls if call.outcome not in KNOWN[call.op]]:
            yield about("known answers", subject, f"{strange[0].outcome} was answered", history, books)


def nothing_done_means_nothing(history: History, books: Books) -> Iterator[Violation]:
    """An order of which all callers were told that nothing was taken in is not there."""
    for subject in books.orders:
        calls = history.of(subject, Op.CREATE)
        if calls and all(call.outcome in NOTHING_DONE for call in calls):
            yield about(
                "nothing done", subject, "all were told that nothing was done, and the order is there", history, books
            )


def _has_content(call: Call, lines: Lines, total_cents: int) -> bool:
    asked = call.op is not Op.CREATE or call.lines == lines
    sold = not call.sold or call.sold == lines
    return asked and sold and (call.total_cents in {None, total_cents} or call.outcome != CONFIRMED)


def _may_be_cancelled(calls: Sequence[Call], order: OrderRow) -> bool:
    """Whether somebody asked for an order's end, or all of it came back."""
    return any(call.op is Op.CANCEL for call in calls) or order.returned == order.lines
