"""A run of chaos: spells one after the other on one stage, for as long as was asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tests.chaos.faults import skipped
from tests.chaos.spell import Plan, Spell
from tests.chaos.stage import Ground, opened_stage
from tests.chaos.tally import Tally

SHORT_RUN_S = 60.0
SPELL_S = 30.0
# A stage gets new databases after so many spells, so that a long run needs no more room than a short one.
SPELLS_OF_A_STAGE_MAX = 10
# The steps of the services take longer now and then, so that more falls between them.
LAGS = ("--lag", "*=0.03:0.3")


@dataclass(frozen=True)
class Ran:
    """What a run came to, and what it could not do."""

    seed: str
    tally: Tally
    skipped: dict[str, str]


async def run_chaos(ground: Ground, seed: str, seconds: float, show: Callable[[str], None]) -> Ran:
    """Runs spells for about so many seconds."""
    spells = max(1, math.ceil(seconds / SPELL_S))
    plan = replace(Plan(), seconds=seconds / spells)
    tally = Tally()
    for first in range(0, spells, SPELLS_OF_A_STAGE_MAX):
        async with opened_stage(ground, f"chaos{first}", LAGS) as stage:
            for number in range(first, min(first + SPELLS_OF_A_STAGE_MAX, spells)):
                said = partial(_say, show, f"spell {number + 1} of {spells}")
                tally.add(await Spell(stage, plan, f"{seed}.{number}", said).run())
                if tally.violations:
                    # What comes after would be about a shop that is broken already.
                    return Ran(seed, tally, skipped(ground.disk))
    return Ran(seed, tally, skipped(ground.disk))


def _say(show: Callable[[str], None], where: str, text: str) -> None:
    show(f"{where} {text}")
