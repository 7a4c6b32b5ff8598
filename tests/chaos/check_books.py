"""Rules that the books must keep in themselves, and with what was asked for."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.books import Books, OrderRow
from tests.chaos.history import APPLIED, CANCELLED, CONFIRMED, REJECTED, History, Op
from tests.chaos.violation import Violation, about


def stock_is_conserved(history: History, books: Books) -> Iterator[Violation]:
    """Opening stock and movements are what is on the shelf and what is held, for every disc, and never less than nothing."""
    held: Counter[str] = Counter()
    for lines in books.ledger.values():
        held.update({disc: row.held for disc, row in lines.items()})
    for disc, opening in history.opening.items():
        stock = books.stock.get(disc)
        if stock is None:
            yield Violation("stock conserved", disc, "the disc is gone")
        elif stock.opening != opening or stock.left < 0 or stock.opening + stock.moved != stock.left + held[disc]:
            what = f"opening {stock.opening} (was {opening}) + moved {stock.moved} is not left {stock.left} + held {held[disc]}"
            yield Violation("stock conserved", disc, what)


def what_is_held_is_sold(history: History, books: Books) -> Iterator[Violation]:
    """CONFIRMED orders hold exactly their lines, less what came back of them, others nothing; what was cancelled is released."""
    for subject in sorted({*books.orders, *books.ledger}):
        order, ledger = books.orders.get(subject), books.ledger.get(subject, {})
        held = {disc: row.held for disc, row in ledger.items() if row.held}
        sold = _kept(order) if order is not None and order.status == CONFIRMED else {}
        if held != sold:
            yield about("held is sold", subject, f"held {held}, sold {sold}", history, books)
        elif order is not None and order.status == CANCELLED:
            kept = [disc for disc, _ in order.lines if disc not in ledger]
            if kept:
                yield about("held is sold", subject, f"cancelled, and no mark in the ledger for {kept}", history, books)


def orders_are_final(history: History, books: Books) -> Iterator[Violation]:
    """Nothing is open, in the orders and in the journal."""
    for subject, order in books.orders.items():
        if order.status not in {CONFIRMED, REJECTED, CANCELLED}:
            yield about("orders final", subject, f"still {order.status}", history, books)
    if books.open_work:
        yield Violation("orders final", "open_work", f"{books.open_work} rows are left in the journal and the queue")


def nobody_ordered_what_was_not_asked_for(history: History, books: Books) -> Iterator[Violation]:
    """Each order is one of the wishes, with that one's lines and under its id."""
    for subject, order in books.orders.items():
        wishes = history.wishes.get(subject, [])
        if not any(
            (wish.customer_id, wish.request_id, wish.lines) == (order.customer_id, order.request_id, order.lines)
            for wish in wishes
        ):
            yield about("as asked for", subject, f"nobody asked for {order}", history, books)


def movements_count_once(history: History, books: Books) -> Iterator[Violation]:
    """Each movement that was told to be done is there once, as it was asked for, and nothing else moved."""
    moved: Counter[str] = Counter()
    for (_, disc), write_off in books.write_offs.items():
        moved[disc] += write_off.delta
    for subject, row in books.movements.items():
        asked = history.of(subject, Op.MOVE)
        if not any(call.lines == ((row.disc_id, row.delta),) for call in asked):
            yield about("movements once", subject, f"nobody asked for {row}", history, books)
        if any(call.is_decided and (call.outcome == APPLIED) != (row.state == APPLIED) for call in asked):
            yield about("movements once", subject, f"told otherwise than {row}", history, books)
        if row.state == APPLIED:
            moved[row.disc_id] += row.delta
    for subject, calls in history.calls.items():
        if subject not in books.movements and any(call.op is Op.MOVE and call.outcome == APPLIED for call in calls):
            yield about("movements once", subject, "acknowledged, and not there", history, books)
    for disc, stock in books.stock.items():
        if disc in history.opening and stock.moved != moved[disc]:
            yield Violation("movements once", disc, f"moved {stock.moved}, by the movements {moved[disc]}")


def _kept(order: OrderRow) -> dict[str, int]:
    back = dict(order.returned)
    return {disc: quantity - back.get(disc, 0) for disc, quantity in order.lines if quantity > back.get(disc, 0)}
