"""The checker finds each kind of violation, and nothing where all is well: one that cannot fail proves nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.books import LedgerRow, MovementRow
from tests.chaos.checks import RULES, judge
from tests.chaos.history import APPLIED, CANCELLED, CONFIRMED, SOLD_OUT, Op
from tests.unit.chaos.stories import DISC, Story, good_story
from tests.unit.chaos.test_return_checks import SPOILT as SPOILT_BY_RETURNS


def a_copy_is_missing(story: Story) -> None:
    story.has_stock(moved=4, left=4)


def a_copy_came_back_twice(story: Story) -> None:
    story.has_stock(moved=4, left=7)


def stock_is_below_zero(story: Story) -> None:
    story.has_order("much", 11, CONFIRMED, "RESERVED")
    story.asks("much", 11, CONFIRMED, 20.0)
    story.has_stock(moved=4, left=-6)


def a_rejected_order_holds_copies(story: Story) -> None:
    story.ledger[story.id("refused")] = {DISC: LedgerRow("RESERVED", 2)}
    story.has_stock(moved=4, left=3)


def a_confirmed_order_holds_nothing(story: Story) -> None:
    story.ledger[story.id("bought")] = {DISC: LedgerRow("RELEASED", 3)}
    story.has_stock(moved=4, left=8)


def copies_are_held_without_an_order(story: Story) -> None:
    story.ledger["18d0e0a2-6f41-4d4e-8a2f-000000000001"] = {DISC: LedgerRow("RESERVED", 1)}
    story.has_stock(moved=4, left=4)


def a_cancel_left_no_mark(story: Story) -> None:
    del story.ledger[story.id("raced")]


def an_order_is_open(story: Story) -> None:
    story.has_order("stuck", 1, "PENDING", None)
    story.asks("stuck", 1, "ORDER_PENDING", 12.0)


def the_journal_is_not_empty(story: Story) -> None:
    story.open_work = 1


def an_order_was_invented(story: Story) -> None:
    story.has_order("nobody's", 1, "REJECTED", "DENIED")


def an_order_has_other_lines(story: Story) -> None:
    story.has_order("bought", 2, CONFIRMED, "RESERVED")
    story.has_stock(moved=4, left=6)


def a_movement_was_lost(story: Story) -> None:
    story.movements.clear()
    story.has_stock(left=1)


def a_movement_counted_twice(story: Story) -> None:
    story.movements["delivery again"] = MovementRow(DISC, 4, APPLIED)
    story.has_stock(moved=8, left=9)


def a_refused_movement_moved(story: Story) -> None:
    story.calls(Op.MOVE, "loss", "STOCK_BELOW_ZERO", 12.0, ((DISC, -2),))
    story.movements["loss"] = MovementRow(DISC, -2, APPLIED)
    story.has_stock(moved=2, left=3)


def a_request_has_two_orders(story: Story) -> None:
    other = "18d0e0a2-6f41-4d4e-8a2f-000000000002"
    story.orders[other] = replace(story.orders[story.id("refused")])


def an_answer_names_another_order(story: Story) -> None:
    story.asks("bought", 3, CONFIRMED, 12.0).order_id = story.id("returned")


def an_acknowledged_order_is_gone(story: Story) -> None:
    del story.orders[story.id("bought")]
    del story.ledger[story.id("bought")]
    story.has_stock(moved=4, left=8)


def an_acknowledged_order_was_rejected(story: Story) -> None:
    story.has_order("bought", 3, "REJECTED", "DENIED")
    story.has_stock(moved=4, left=8)


def an_order_was_cancelled_by_nobody(story: Story) -> None:
    story.has_order("bought", 3, CANCELLED, "RELEASED")
    story.has_stock(moved=4, left=8)


def a_cancelled_order_is_confirmed(story: Story) -> None:
    story.has_order("returned", 2, CONFIRMED, "RESERVED")
    story.has_stock(moved=4, left=3)


def an_answer_has_another_total(story: Story) -> None:
    story.asks("bought", 3, CONFIRMED, 12.0).total_cents = 1


def an_answer_has_other_lines(story: Story) -> None:
    story.asks("bought", 3, CONFIRMED, 12.0).sold = ((DISC, 2),)


def a_refusal_became_a_sale(story: Story) -> None:
    story.asks("refused", 2, CONFIRMED, 12.0)
    story.has_order("refused", 2, CONFIRMED, "RESERVED")
    story.has_stock(moved=4, left=3)


def a_refusal_has_other_figures(story: Story) -> None:
    story.asks("refused", 2, SOLD_OUT, 12.0).figures = "0"


def a_refused_order_was_not_recorded(story: Story) -> None:
    del story.orders[story.id("refused")]


def an_order_can_not_be_found_any_more(story: Story) -> None:
    story.calls(Op.GET, story.id("bought"), "ORDER_NOT_FOUND", 12.0)


def a_cancelled_order_is_answered_as_confirmed(story: Story) -> None:
    story.asks("returned", 2, CONFIRMED, 12.0)


def both_payloads_were_taken(story: Story) -> None:
    story.asks("two payloads", 2, CONFIRMED, 12.0)


def a_request_id_was_not_used_before(story: Story) -> None:
    story.asks("bought", 3, "REQUEST_ID_REUSED", 12.0)


def something_strange_was_answered(story: Story) -> None:
    story.asks("bought", 3, "INTERNAL", 12.0)


def something_was_done_though_nothing_was(story: Story) -> None:
    story.has_order("not taken in", 1, "REJECTED", "DENIED")


def more_was_sold_than_had_come(story: Story) -> None:
    # The books agree at the end; in between six were promised, of five.
    story.asks("early", 3, CONFIRMED, 2.5)
    story.has_order("early", 3, CONFIRMED, "RESERVED")
    story.has_stock(moved=4, left=2)


def there_were_enough_all_the_time(story: Story) -> None:
    story.asks("turned away", 2, SOLD_OUT, 12.0)
    story.has_order("turned away", 2, "REJECTED", "DENIED")


def a_move_was_not_told(story: Story) -> None:
    del story.history.watched[0][DISC][1]


def a_move_was_told_twice(story: Story) -> None:
    told = story.history.watched[0][DISC]
    told.insert(2, told[1])


def the_last_move_was_not_told(story: Story) -> None:
    del story.history.watched[1][DISC][-1]


def something_else_was_told_to_be_left(story: Story) -> None:
    story.changes[4] = 3


def nothing_was_told(story: Story) -> None:
    story.history.watched[0][DISC].clear()


SPOILT: dict[Callable[[Story], None], str] = {
    a_copy_is_missing: "stock conserved",
    a_copy_came_back_twice: "stock conserved",
    stock_is_below_zero: "stock conserved",
    a_rejected_order_holds_copies: "held is sold",
    a_confirmed_order_holds_nothing: "held is sold",
    copies_are_held_without_an_order: "held is sold",
    a_cancel_left_no_mark: "held is sold",
    an_order_is_open: "orders final",
    the_journal_is_not_empty: "orders final",
    an_order_was_invented: "as asked for",
    an_order_has_other_lines: "as asked for",
    a_movement_was_lost: "movements once",
    a_movement_counted_twice: "movements once",
    a_refused_movement_moved: "movements once",
    a_request_has_two_orders: "one order",
    an_answer_names_another_order: "one order",
    an_acknowledged_order_is_gone: "acknowledged is there",
    an_acknowledged_order_was_rejected: "acknowledged is there",
    an_order_was_cancelled_by_nobody: "acknowledged is there",
    a_cancelled_order_is_confirmed: "acknowledged is there",
    an_answer_has_another_total: "acknowledged is there",
    an_answer_has_other_lines: "acknowledged is there",
    a_refusal_became_a_sale: "refusals stay",
    a_refusal_has_other_figures: "refusals stay",
    a_refused_order_was_not_recorded: "refusals stay",
    an_order_can_not_be_found_any_more: "answers do not go back",
    a_cancelled_order_is_answered_as_confirmed: "answers do not go back",
    both_payloads_were_taken: "one payload",
    a_request_id_was_not_used_before: "one payload",
    something_strange_was_answered: "known answers",
    something_was_done_though_nothing_was: "nothing done",
    more_was_sold_than_had_come: "never oversold",
    there_were_enough_all_the_time: "sold out is true",
    a_move_was_not_told: "every move is told once",
    a_move_was_told_twice: "every move is told once",
    the_last_move_was_not_told: "every move is told once",
    something_else_was_told_to_be_left: "every move is told once",
    nothing_was_told: "every move is told once",
}


def test_where_all_is_well_nothing_is_found() -> None:
    story = good_story()
    assert judge(story.history, story.books) == []


@pytest.mark.parametrize(("spoil", "rule"), SPOILT.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_wrong_is_found_by_its_rule(spoil: Callable[[Story], None], rule: str) -> None:
    story = good_story()
    spoil(story)
    found = judge(story.history, story.books)
    assert rule in {violation.rule for violation in found}, found


def test_every_rule_has_been_seen_to_fail() -> None:
    assert len({*SPOILT.values(), *SPOILT_BY_RETURNS.values()}) == len(RULES)


def test_a_violation_of_an_order_tells_all_that_was_asked_about_it() -> None:
    story = good_story()
    a_refusal_became_a_sale(story)
    told = next(violation for violation in judge(story.history, story.books) if violation.rule == "refusals stay")
    assert len(told.history) == len(story.history.of(told.subject)) + 2, "each call, the order, and its ledger"
    assert "OUT_OF_STOCK" in "".join(told.history)
