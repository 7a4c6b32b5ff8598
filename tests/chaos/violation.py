"""A rule that was broken, and how."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.books import Books
from tests.chaos.history import History


@dataclass(frozen=True)
class Violation:
    """What is wrong, of what, and all that was asked and answered about it, with what the books say."""

    rule: str
    subject: str
    what: str
    history: tuple[str, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """The violation as it stands in the report."""
        return {"rule": self.rule, "subject": self.subject, "what": self.what, "history": list(self.history)}


def about(rule: str, subject: str, what: str, history: History, books: Books) -> Violation:
    """A violation that concerns one order, one movement, or one return; of a return's order everything is told too."""
    lines = [str(call) for call in history.of(subject)]
    returns = history.returns.get(subject, [])
    order_id = returns[0].order_id if returns else subject
    if returns:
        lines += [str(call) for call in history.of(order_id)]
    order = books.orders.get(order_id)
    lines.append(f"order: {order.status} {_told(dict(order.lines))}" if order else "order: none")
    ledger = {disc: f"{row.state} {row.quantity}" for disc, row in books.ledger.get(order_id, {}).items()}
    lines.append(f"ledger: {_told(ledger) or 'none'}")
    return Violation(rule, subject, what, tuple(lines))


def _told(lines: Mapping[str, object]) -> str:
    return " ".join(f"{disc[:8]}:{value}" for disc, value in lines.items())
