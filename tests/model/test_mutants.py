"""Without any one of its rules the protocol goes wrong, and the model finds out."""

from dataclasses import fields

import pytest

from tests.model.explore import Exploration
from tests.model.mutants import MUTANTS, Mutant
from tests.model.rules import Rules
from tests.model.stories import story
from tests.model.worlds import ALWAYS

STATES_MAX = 100_000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_without_this_rule_something_goes_wrong(mutant: Mutant) -> None:
    explored = Exploration(mutant.world.without(mutant.rule)).run(STATES_MAX)
    assert explored.wrong is not None, story(explored)
    assert len(explored.trace) <= mutant.steps, story(explored)


def test_every_rule_has_a_mutant() -> None:
    assert sorted(mutant.rule for mutant in MUTANTS) == sorted(rule.name for rule in fields(Rules))


def test_every_mutant_lives_in_a_world_in_which_nothing_is_wrong_with_all_rules() -> None:
    assert {mutant.world.name for mutant in MUTANTS} <= {world.name for world in ALWAYS}
