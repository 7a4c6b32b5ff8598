"""What there can have been of a disc at least: a refusal is false only if no order in flight could excuse it."""

import pytest

from tests.chaos.books import MovementRow
from tests.chaos.check_stock import Steps, sold_out_is_true
from tests.chaos.history import APPLIED, CANCELLED, CONFIRMED, SOLD_OUT, Op
from tests.unit.chaos.stories import DISC, Story


def story_with_a_refusal(*, from_s: float, to_s: float) -> Story:
    """Five copies, and somebody who is refused two of them."""
    story = Story()
    story.asks("refused", 2, SOLD_OUT, from_s, lasts_s=to_s - from_s)
    story.has_order("refused", 2, "REJECTED", "DENIED")
    return story


def verdict(story: Story) -> str:
    return "false" if list(sold_out_is_true(story.history, story.books)) else "excused"


@pytest.mark.parametrize(
    ("from_s", "to_s", "expected"), [(1.0, 2.0, "false"), (1.0, 3.5, "excused"), (3.5, 4.0, "excused")]
)
def test_who_buys_may_have_the_copies_from_the_first_question_on(from_s: float, to_s: float, expected: str) -> None:
    story = story_with_a_refusal(from_s=from_s, to_s=to_s)
    story.asks("bought", 4, "ORDER_PENDING", 3.0)
    story.asks("bought", 4, CONFIRMED, 9.0)
    story.has_order("bought", 4, CONFIRMED, "RESERVED")
    assert verdict(story) == expected


@pytest.mark.parametrize(("from_s", "expected"), [(5.5, "excused"), (6.5, "false")])
def test_who_cancels_may_have_the_copies_until_it_was_told_that_they_are_back(from_s: float, expected: str) -> None:
    story = story_with_a_refusal(from_s=from_s, to_s=from_s + 1)
    story.asks("returned", 4, CONFIRMED, 1.0)
    story.calls(Op.CANCEL, story.id("returned"), CANCELLED, 4.0, lasts_s=2.0)
    story.has_order("returned", 4, CANCELLED, "RELEASED")
    assert verdict(story) == expected


@pytest.mark.parametrize(
    ("delta", "from_s", "expected"), [(9, 4.5, "excused"), (9, 6.5, "false"), (-4, 3.5, "false"), (-4, 4.5, "excused")]
)
def test_a_delivery_is_there_when_that_was_told_and_a_loss_is_gone_at_once(
    delta: int, from_s: float, expected: str
) -> None:
    story = story_with_a_refusal(from_s=from_s, to_s=from_s + 0.1)
    if delta > 0:
        story.asks("bought", 5, CONFIRMED, 1.0)
        story.has_order("bought", 5, CONFIRMED, "RESERVED")
    story.calls(Op.MOVE, "moved", APPLIED, 4.0, ((DISC, delta),), lasts_s=2.0)
    story.movements["moved"] = MovementRow(DISC, delta, APPLIED)
    assert verdict(story) == expected


def test_an_order_that_never_held_anything_excuses_nobody() -> None:
    story = story_with_a_refusal(from_s=2.0, to_s=3.0)
    story.asks("raced", 5, "ORDER_PENDING", 1.0)
    story.has_order("raced", 5, CANCELLED, "RELEASED", held=0)
    assert verdict(story) == "false"


def test_steps_tell_the_least_and_the_most_between_two_moments() -> None:
    steps = Steps(5, [(2.0, -3), (1.0, 4), (float("inf"), 100)])
    assert (steps.least(0.0, 0.5), steps.most(0.0, 0.5)) == (5, 5)
    assert (steps.least(0.0, 3.0), steps.most(0.0, 3.0)) == (5, 9)
    assert (steps.least(1.5, 2.5), steps.most(2.0, 2.5)) == (6, 6)
