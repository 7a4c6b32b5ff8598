"""With all rules the protocol keeps its promises, whoever dies or sleeps wherever, and whatever is lost or comes late."""

import os
from dataclasses import replace

import pytest

from tests.model.explore import Exploration
from tests.model.stories import story
from tests.model.world import World
from tests.model.worlds import ALWAYS, DEEP, PAYLOADS, RETURN_UNDECIDED

IS_DEEP = os.environ.get("MODEL_DEEP") == "1"
STATES_MAX = 20_000_000 if IS_DEEP else 400_000


@pytest.mark.timeout(7_200 if IS_DEEP else 180)
@pytest.mark.parametrize("world", [*ALWAYS, *(DEEP if IS_DEEP else ())], ids=lambda world: world.name)
def test_nothing_goes_wrong_in(world: World) -> None:
    explored = Exploration(world).run(STATES_MAX)
    assert explored.wrong is None, story(explored)


SMALL = pytest.mark.parametrize("world", [PAYLOADS, RETURN_UNDECIDED], ids=lambda world: world.name)


@SMALL
def test_to_claim_and_read_in_one_step_loses_nothing_that_is_on_disk(world: World) -> None:
    together, apart = Exploration(world), Exploration(replace(world, claims_apart=True))
    assert together.run(STATES_MAX).wrong is None
    assert apart.run(STATES_MAX).wrong is None
    assert len(together.states) < len(apart.states)
    on_disk, on_disk_apart = ({(state.catalog, state.orders) for state in one.states} for one in (together, apart))
    assert on_disk == on_disk_apart


@SMALL
def test_to_forget_what_can_change_nothing_loses_no_state(world: World) -> None:
    kept, forgotten = Exploration(replace(world, forgets=False)), Exploration(world)
    assert kept.run(STATES_MAX).wrong is None
    assert forgotten.run(STATES_MAX).wrong is None
    assert len(forgotten.states) < len(kept.states)
    with_all, without = ({state._replace(late=frozenset()) for state in one.states} for one in (kept, forgotten))
    assert with_all == without
