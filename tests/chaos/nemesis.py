"""When which fault strikes: a plan that follows from the seed, and its execution."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from tests.chaos.faults import KINDS, Fault
from tests.chaos.stage import Stage

LASTS_MIN_S = 0.1
# A fault waits for its target to be put right after the one before it.
STRIKE_TIMEOUT_S = 60.0


def plan_faults(
    rng: random.Random,
    *,
    seconds: float,
    interval_s: float,
    skipped: Collection[str],
    weights: Mapping[str, int] | None,
) -> list[Fault]:
    """One fault each interval, more or less: each kind as often as its weight says, and all of them if there is room.

    `weights` are other ones than the kinds' own; what is not named there does not happen.
    """
    chosen = weights or {name: kind.weight for name, kind in KINDS.items()}
    names = sorted(name for name in chosen if name not in skipped)
    count = int(seconds / interval_s)
    drawn = (names + rng.choices(names, [chosen[name] for name in names], k=max(0, count - len(names))))[:count]
    rng.shuffle(drawn)
    faults = []
    for number, name in enumerate(drawn):
        kind = KINDS[name]
        at_s = (number + rng.random()) * interval_s
        lasts_s = LASTS_MIN_S + rng.random() * max(0.0, kind.lasts_max_s - LASTS_MIN_S)
        faults.append(Fault(at_s, name, rng.choice(kind.targets), lasts_s, rng.random()))
    return faults


class Nemesis:
    """Strikes as planned; faults at one target come one after the other, those at others whenever they come."""

    def __init__(self, stage: Stage) -> None:
        self.struck: Counter[str] = Counter()
        self.told: list[str] = []
        self._stage = stage
        self._targets: dict[str, asyncio.Lock] = {}

    async def run(self, faults: Sequence[Fault], now_s: float) -> None:
        """Carries a plan out; returns when everything is put right again. `now_s` is the history's time."""
        begin_s = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, begin_s + fault.at_s - asyncio.get_running_loop().time()))
                group.create_task(self._strike(fault, now_s - begin_s))

    async def _strike(self, fault: Fault, offset_s: float) -> None:
        lock = self._targets.setdefault(fault.target, asyncio.Lock())
        async with asyncio.timeout(STRIKE_TIMEOUT_S), lock:
            begin_s = asyncio.get_running_loop().time() + offset_s
            self.struck[fault.kind] += 1
            try:
                await KINDS[fault.kind].strike(self._stage, fault)
            finally:
                end_s = asyncio.get_running_loop().time() + offset_s
                self.told.append(f"{begin_s:9.3f} to {end_s:9.3f} s  {fault.kind} {fault.target}")
