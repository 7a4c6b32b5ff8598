"""The checker finds each kind of violation about copies that come back, and nothing where all is well."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.books import LedgerRow
from tests.chaos.check_stock import sold_out_is_true
from tests.chaos.checks import judge
from tests.chaos.history import CONFIRMED, RETURNED, RETURNED_ALL, SOLD_OUT, Op
from tests.unit.chaos.stories import DISC, Story, good_returns


def a_return_counted_twice_in_the_catalog(story: Story) -> None:
    story.ledger[story.id("bought")] = {DISC: LedgerRow("RESERVED", 4, 4)}
    story.has_stock(moved=-3, left=2)


def a_return_counted_twice_in_the_order(story: Story) -> None:
    bought = story.orders[story.id("bought")]
    story.orders[story.id("bought")] = replace(bought, returned=((DISC, 4),))


def copies_came_back_for_no_return(story: Story) -> None:
    del story.returns[story.returning("bought", "shelved", 1).return_id]


def a_return_was_never_made(story: Story) -> None:
    del story.ledger_returns[story.returning("bought", "shelved", 1).return_id]


def a_return_is_open(story: Story) -> None:
    return_id = story.returning("bought", "shelved", 1).return_id
    story.returns[return_id] = replace(story.returns[return_id], state="PENDING")


def a_return_was_shelved_and_should_be_written_off(story: Story) -> None:
    return_id = story.returning("bought", "shelved", 1).return_id
    story.returns[return_id] = replace(story.returns[return_id], is_written_off=True)


def more_came_back_than_was_sold(story: Story) -> None:
    story.has_order("single", 1, "CANCELLED", "RELEASED", back=2)


def written_off_copies_are_on_the_shelf(story: Story) -> None:
    story.has_stock(moved=-3, left=3)


def copies_that_came_back_are_still_held(story: Story) -> None:
    story.ledger[story.id("bought")] = {DISC: LedgerRow("RESERVED", 4, 2)}


def copies_left_without_a_word(story: Story) -> None:
    del story.write_offs[story.returning("bought", "off", 2).return_id, DISC]


def copies_for_the_shelf_left(story: Story) -> None:
    written_off = story.write_offs[story.returning("bought", "off", 2).return_id, DISC]
    story.write_offs[story.returning("bought", "shelved", 1).return_id, DISC] = replace(written_off, delta=-1)


def nobody_knows_why_copies_left(story: Story) -> None:
    key = (story.returning("bought", "off", 2).return_id, DISC)
    story.write_offs[key] = replace(story.write_offs[key], reason="")


def nobody_asked_for_a_return(story: Story) -> None:
    story.history.returns.pop(story.returning("bought", "shelved", 1).return_id)


def a_return_was_made_that_was_not_taken_in(story: Story) -> None:
    for call in story.history.of(story.returning("bought", "shelved", 1).return_id):
        call.outcome = "NOT_ACCEPTED"


def an_acknowledged_return_is_gone(story: Story) -> None:
    story.asks_back(story.returning("bought", "lost", 1), RETURNED, 8.0, back=3)


def a_return_that_was_turned_away_was_made(story: Story) -> None:
    story.asks_back(story.returning("bought", "off", 2, is_written_off=True), "RETURN_EXCEEDS_SALE", 3.5)


def another_return_was_answered(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 2), RETURNED, 8.0, back=3)


def a_returns_id_was_not_used_before(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 1), "REQUEST_ID_REUSED", 8.0)


def a_return_is_back_and_not_counted(story: Story) -> None:
    story.asks_back(story.returning("bought", "off", 2, is_written_off=True), RETURNED, 3.9, back=1)


def an_order_is_told_to_be_over_and_is_not(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 1), RETURNED_ALL, 8.0, back=3)


def a_return_is_answered_with_another_order(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 1), RETURNED, 8.0, back=3).order_id = story.id("single")


def copies_that_came_back_are_gone_again(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 1), RETURNED, 8.0, back=2)


def more_is_told_to_be_back_than_is_written(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 1), RETURNED, 8.0, back=4)


def a_return_is_not_known_any_more(story: Story) -> None:
    story.asks_back(story.returning("bought", "shelved", 1), "ORDER_NOT_DECIDED", 8.0)


def written_off_copies_were_sold_again(story: Story) -> None:
    # Five copies, of which three have left: there never was room for four and three at once.
    story.asks("early", 3, CONFIRMED, 4.5)
    story.history.calls[story.id("early")][-1].end_s = 4.6
    story.calls(Op.CANCEL, story.id("early"), "CANCELLED", 5.5)
    story.has_order("early", 3, "CANCELLED", "RELEASED")


SPOILT: dict[Callable[[Story], None], str] = {
    a_return_counted_twice_in_the_catalog: "returns once",
    a_return_counted_twice_in_the_order: "returns once",
    copies_came_back_for_no_return: "returns once",
    a_return_was_never_made: "returns once",
    a_return_is_open: "returns once",
    a_return_was_shelved_and_should_be_written_off: "returns once",
    more_came_back_than_was_sold: "returns once",
    written_off_copies_are_on_the_shelf: "stock conserved",
    copies_that_came_back_are_still_held: "held is sold",
    copies_left_without_a_word: "write-offs told",
    copies_for_the_shelf_left: "write-offs told",
    nobody_knows_why_copies_left: "write-offs told",
    nobody_asked_for_a_return: "returns as asked for",
    a_return_was_made_that_was_not_taken_in: "returns as asked for",
    an_acknowledged_return_is_gone: "return answers",
    a_return_that_was_turned_away_was_made: "return answers",
    another_return_was_answered: "return answers",
    a_returns_id_was_not_used_before: "return answers",
    a_return_is_back_and_not_counted: "return answers",
    an_order_is_told_to_be_over_and_is_not: "return answers",
    a_return_is_answered_with_another_order: "return answers",
    copies_that_came_back_are_gone_again: "returned stays",
    more_is_told_to_be_back_than_is_written: "returned stays",
    a_return_is_not_known_any_more: "answers do not go back",
    written_off_copies_were_sold_again: "never oversold",
}


def test_where_all_is_well_nothing_is_found() -> None:
    story = good_returns()
    assert judge(story.history, story.books) == []


@pytest.mark.parametrize(("spoil", "rule"), SPOILT.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_wrong_is_found_by_its_rule(spoil: Callable[[Story], None], rule: str) -> None:
    story = good_returns()
    spoil(story)
    found = judge(story.history, story.books)
    assert rule in {violation.rule for violation in found}, found


def test_a_violation_of_a_return_tells_all_that_was_asked_about_its_order_too() -> None:
    story = good_returns()
    copies_came_back_for_no_return(story)
    told = next(violation for violation in judge(story.history, story.books) if violation.rule == "returns once")
    assert len(told.history) == len(story.history.of(told.subject)) + len(story.history.of(story.id("bought"))) + 2


@pytest.mark.parametrize(
    ("is_written_off", "from_s", "expected"), [(False, 4.5, "excused"), (False, 6.5, "false"), (True, 6.5, "excused")]
)
def test_copies_are_back_when_that_was_told_and_never_if_they_are_written_off(
    *, is_written_off: bool, from_s: float, expected: str
) -> None:
    story = Story()
    story.asks("refused", 2, SOLD_OUT, from_s)
    story.has_order("refused", 2, "REJECTED", "DENIED")
    story.asks("bought", 5, CONFIRMED, 1.0)
    story.has_order("bought", 5, CONFIRMED, "RESERVED", back=2)
    returning = story.returning("bought", "part", 2, is_written_off=is_written_off)
    story.asks_back(returning, RETURNED, 4.0, back=2).end_s = 6.0
    story.has_return(returning, 2)
    assert ("false" if list(sold_out_is_true(story.history, story.books)) else "excused") == expected
