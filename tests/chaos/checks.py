"""Holds a history against the books: every rule, and what breaks it with all calls that were about it."""

from collections.abc import Callable, Iterator

from tests.chaos import check_answers, check_books, check_returns, check_stock, check_watches
from tests.chaos.books import Books
from tests.chaos.history import History
from tests.chaos.violation import Violation

Rule = Callable[[History, Books], Iterator[Violation]]

# The order in which they are told: what is wrong in itself comes before what follows from it.
RULES: tuple[Rule, ...] = (
    check_books.stock_is_conserved,
    check_books.what_is_held_is_sold,
    check_books.orders_are_final,
    check_books.nobody_ordered_what_was_not_asked_for,
    check_books.movements_count_once,
    check_returns.returns_are_made_once,
    check_returns.write_offs_are_told,
    check_returns.returns_are_as_asked_for,
    check_returns.return_answers_are_true,
    check_returns.returned_copies_stay_returned,
    check_answers.one_order_for_each_request,
    check_answers.acknowledged_orders_are_there,
    check_answers.refusals_stay,
    check_answers.answers_do_not_go_back,
    check_answers.one_payload_wins,
    check_answers.only_known_answers,
    check_answers.nothing_done_means_nothing,
    check_stock.no_disc_is_oversold_at_any_moment,
    check_stock.sold_out_is_true,
    check_watches.every_move_is_told_once,
)


def judge(history: History, books: Books) -> list[Violation]:
    """Applies all rules."""
    return [violation for rule in RULES for violation in rule(history, books)]
