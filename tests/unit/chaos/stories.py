"""Histories made by hand: one in which all is well, to be spoilt by a test."""

from dataclasses import replace

from tests.chaos.books import Books, LedgerRow, MovementRow, OrderRow, StockRow
from tests.chaos.history import (
    APPLIED,
    CANCELLED,
    CONFIRMED,
    RETURNED,
    RETURNED_ALL,
    SOLD_OUT,
    Call,
    History,
    Op,
    Seen,
)
from tests.chaos.returned_books import LedgerReturn, ReturnRow, WriteOff
from tests.chaos.wishes import Lines, Return, Wish

CUSTOMER = "7c0de5b1-3d5c-4ab2-9c52-3b2f2d0b9b11"
DISC = "0b2f5c4e-9d9f-4d0e-8a55-0d3c3b8a6f01"
OPENING = 5
PRICE_CENTS = 1_000


class Story:
    """One disc of five copies, and what happened to it. Orders are named by their request_ids."""

    def __init__(self) -> None:
        self.history = History(opening={DISC: OPENING})
        self.orders: dict[str, OrderRow] = {}
        self.ledger: dict[str, dict[str, LedgerRow]] = {}
        self.movements: dict[str, MovementRow] = {}
        self.stock = StockRow(OPENING, 0, OPENING)
        self.returns: dict[str, ReturnRow] = {}
        self.ledger_returns: dict[str, LedgerReturn] = {}
        self.write_offs: dict[tuple[str, str], WriteOff] = {}
        self.open_work = 0
        # Of five moves the last three are kept; one watcher saw all of them, another came back too late once.
        self.changes = {3: 6, 4: 4, 5: 5}
        told = [Seen(1, 2), Seen(2, 8), Seen(3, 6), Seen(4, 4), Seen(5, 5)]
        self.history.watched = [{DISC: told}, {DISC: [told[0], Seen(None, 0), *told[3:]]}]

    @property
    def books(self) -> Books:
        """What is on disk at the end."""
        return Books(
            self.orders,
            self.ledger,
            {DISC: self.stock},
            self.movements,
            self.open_work,
            {DISC: max(self.changes)},
            {DISC: self.changes},
            self.returns,
            self.ledger_returns,
            self.write_offs,
        )

    def wish(self, request_id: str, quantity: int) -> Wish:
        """What somebody wants."""
        return Wish(CUSTOMER, request_id, ((DISC, quantity),))

    def id(self, request_id: str) -> str:
        """An order's id."""
        return self.wish(request_id, 1).order_id

    def asks(self, request_id: str, quantity: int, outcome: str, at_s: float, *, lasts_s: float = 0.1) -> Call:
        """Somebody asks for an order."""
        wish = self.wish(request_id, quantity)
        if wish not in self.history.wishes[wish.order_id]:
            self.history.wishes[wish.order_id].append(wish)
        call = self.calls(Op.CREATE, wish.order_id, outcome, at_s, wish.lines, lasts_s=lasts_s)
        call.order_id = "" if outcome.startswith(("GRPC", "NOT_ACCEPTED")) else wish.order_id
        if outcome == CONFIRMED:
            call.sold, call.total_cents = wish.lines, quantity * PRICE_CENTS
        if outcome == SOLD_OUT:
            call.figures = "1"
        return call

    def calls(
        self, op: Op, subject: str, outcome: str, at_s: float, lines: Lines = (), *, lasts_s: float = 0.1
    ) -> Call:
        """A call and its answer."""
        call = Call(op, "told", subject, lines, 0, at_s, at_s + lasts_s, outcome)
        self.history.calls[subject].append(call)
        return call

    def has_order(
        self,
        request_id: str,
        quantity: int,
        status: str,
        state: str | None,
        held: int | None = None,
        *,
        back: int = 0,
    ) -> None:
        """An order is on disk, and its row in the ledger; so many copies came back."""
        total_cents = quantity * PRICE_CENTS if status in {CONFIRMED, CANCELLED} else 0
        lines = ((DISC, quantity),)
        self.orders[self.id(request_id)] = OrderRow(CUSTOMER, request_id, status, lines, total_cents, ((DISC, back),))
        if state is not None:
            row = LedgerRow(state, quantity if held is None else held, back)
            self.ledger[self.id(request_id)] = {DISC: row}

    def returning(self, order: str, request_id: str, quantity: int, *, is_written_off: bool = False) -> Return:
        """Copies of an order that are to come back; 0 are all that is left."""
        return Return(self.id(order), request_id, ((DISC, quantity),) if quantity else (), is_written_off)

    def asks_back(self, returning: Return, outcome: str, at_s: float, back: int = 0) -> Call:
        """Somebody asks for copies to come back; `back` are those that have come back by then, as the answer tells."""
        if returning not in self.history.returns[returning.return_id]:
            self.history.returns[returning.return_id].append(returning)
        call = self.calls(Op.RETURN, returning.return_id, outcome, at_s, returning.lines)
        call.returning = returning
        if outcome in {RETURNED, RETURNED_ALL}:
            call.order_id, call.back = returning.order_id, ((DISC, back),)
        return call

    def has_return(self, returning: Return, quantity: int) -> None:
        """A return is on disk, in both databases."""
        lines = ((DISC, quantity),)
        self.returns[returning.return_id] = ReturnRow(
            returning.order_id, returning.request_id, APPLIED, returning.is_written_off, lines
        )
        self.ledger_returns[returning.return_id] = LedgerReturn(returning.order_id, returning.is_written_off, lines)
        if returning.is_written_off:
            reason = f"WRITE_OFF: returned from order {returning.order_id}"
            self.write_offs[returning.return_id, DISC] = WriteOff(-quantity, APPLIED, reason)

    def has_stock(self, *, moved: int = 0, left: int) -> None:
        """The disc's copies at the end."""
        self.stock = replace(self.stock, moved=moved, left=left)


def good_story() -> Story:
    """Everything that happens in a shop, and all of it right: three sold, two come back, one is refused in between, four delivered."""
    story = Story()
    story.asks("bought", 3, "GRPC_UNAVAILABLE", 1.0)
    story.asks("bought", 3, CONFIRMED, 2.0)
    story.asks("bought", 3, CONFIRMED, 2.0)
    story.has_order("bought", 3, CONFIRMED, "RESERVED")
    story.asks("returned", 2, CONFIRMED, 3.0)
    story.asks("refused", 2, SOLD_OUT, 4.0)
    story.calls(Op.CANCEL, story.id("returned"), "ORDER_CANCELLING", 5.0)
    story.calls(Op.CANCEL, story.id("returned"), CANCELLED, 6.0)
    story.calls(Op.GET, story.id("returned"), CANCELLED, 6.5)
    story.has_order("returned", 2, CANCELLED, "RELEASED")
    story.has_order("refused", 2, "REJECTED", "DENIED")
    story.calls(Op.MOVE, "delivery", "GRPC_DEADLINE_EXCEEDED", 7.0, ((DISC, 4),))
    story.calls(Op.MOVE, "delivery", APPLIED, 8.0, ((DISC, 4),))
    story.movements["delivery"] = MovementRow(DISC, 4, APPLIED)
    story.asks("refused", 2, SOLD_OUT, 9.0)
    story.asks("raced", 1, "ORDER_PENDING", 9.0)
    story.calls(Op.CANCEL, story.id("raced"), CANCELLED, 9.0)
    story.has_order("raced", 1, CANCELLED, "RELEASED", held=0)
    story.asks("two payloads", 1, CONFIRMED, 10.0)
    story.asks("two payloads", 2, "REQUEST_ID_REUSED", 10.0)
    story.has_order("two payloads", 1, CONFIRMED, "RESERVED")
    story.asks("not taken in", 1, "NOT_ACCEPTED", 11.0)
    story.has_stock(moved=4, left=5)
    return story


def good_returns() -> Story:
    """Of four sold one comes back and two are written off, others may not come back, and the last one is written off with its order."""
    story = Story()
    shelved, written_off = (
        story.returning("bought", "shelved", 1),
        story.returning("bought", "off", 2, is_written_off=True),
    )
    story.asks_back(story.returning("bought", "early", 1), "ORDER_NOT_DECIDED", 0.5)
    story.asks("bought", 4, CONFIRMED, 1.0)
    story.asks_back(shelved, "ORDER_RETURNING", 2.0)
    story.asks_back(shelved, RETURNED, 3.0, back=1)
    story.asks_back(written_off, RETURNED, 4.0, back=3)
    story.asks_back(shelved, RETURNED, 5.0, back=3)
    story.asks_back(story.returning("bought", "too much", 2), "RETURN_EXCEEDS_SALE", 5.0)
    story.asks_back(story.returning("bought", "shelved", 2), "REQUEST_ID_REUSED", 5.0)
    story.has_order("bought", 4, CONFIRMED, "RESERVED", back=3)
    story.has_return(shelved, 1)
    story.has_return(written_off, 2)
    story.asks("single", 1, CONFIRMED, 6.0)
    rest = story.returning("single", "rest", 0, is_written_off=True)
    story.asks_back(rest, RETURNED_ALL, 7.0, back=1)
    story.has_order("single", 1, CANCELLED, "RELEASED", back=1)
    story.has_return(rest, 1)
    story.has_stock(moved=-3, left=1)
    return story
