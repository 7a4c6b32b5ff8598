"""Goes through all states that a world can come to, nearest first."""

from array import array
from dataclasses import dataclass

from tests.model.happenings import ways_from_outside
from tests.model.invariants import is_quiet, violation
from tests.model.state import State
from tests.model.steps import own_ways
from tests.model.world import World

STUCK = "the shop cannot come to rest from here by itself"

Trace = tuple[tuple[str, State], ...]


@dataclass(frozen=True)
class Explored:
    """What was found: how many states, how many steps away the last one is, and the shortest way to something wrong."""

    world: World
    states: int
    transitions: int
    depth: int
    wrong: str | None = None
    trace: Trace = ()


class Exploration:
    """A walk to all states, the nearest first; remembers for each from where it was first come to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.states = [world.start]
        self._numbers = {world.start: 0}
        self._origins = array("l", [0])
        # Ways that the shop goes by itself, from state to state.
        self._sources, self._targets = array("l"), array("l")
        self._transitions = 0
        self._depth = 0

    def run(self, states_max: int) -> Explored:
        """Goes until something is wrong, or everywhere; raises if there are more than states_max states."""
        begin, end = 0, 1
        while begin < end:
            for number in range(begin, end):
                for found in self._expand(number):
                    wrong = violation(self._world, self.states[found])
                    if wrong is not None:
                        return self._explored(wrong, found)
            if len(self.states) > states_max:
                raise AssertionError(f"{self._world.name}: more than {states_max} states")
            begin, end = end, len(self.states)
            self._depth += begin < end
        stuck = self._stuck()
        return self._explored(None, 0) if stuck is None else self._explored(STUCK, stuck)

    def _expand(self, number: int) -> range:
        """Goes all ways from a state, and answers which states were new."""
        before, numbers, states = len(self.states), self._numbers, self.states
        own = own_ways(self._world, states[number])
        others = ways_from_outside(self._world, states[number])
        for place, (_, after) in enumerate(own + others):
            target = numbers.setdefault(after, len(numbers))
            if target == len(states):
                states.append(after)
                self._origins.append(number)
            if place < len(own):
                self._sources.append(number)
                self._targets.append(target)
        self._transitions += len(own) + len(others)
        return range(before, len(states))

    def _stuck(self) -> int | None:
        """The nearest state from which the shop cannot come to rest by itself: found by going back from all that are at rest."""
        starts, before = self._ways_back()
        is_good = bytearray(map(is_quiet, self.states))
        waiting = [number for number, is_quiet_there in enumerate(is_good) if is_quiet_there]
        while waiting:
            number = waiting.pop()
            for source in before[starts[number] : starts[number + 1]]:
                if not is_good[source]:
                    is_good[source] = 1
                    waiting.append(source)
        stuck = is_good.find(0)
        return None if stuck < 0 else stuck

    def _ways_back(self) -> tuple["array[int]", "array[int]"]:
        """For each state those that lead to it: its part of the second array begins where the first one says."""
        starts = array("l", [0]) * (len(self.states) + 1)
        for target in self._targets:
            starts[target + 1] += 1
        for number in range(len(self.states)):
            starts[number + 1] += starts[number]
        places, before = array("l", starts), array("l", [0]) * len(self._targets)
        for source, target in zip(self._sources, self._targets, strict=True):
            before[places[target]] = source
            places[target] += 1
        return starts, before

    def _explored(self, wrong: str | None, number: int) -> Explored:
        trace = self._trace(number) if wrong is not None else ()
        return Explored(self._world, len(self.states), self._transitions, self._depth, wrong, trace)

    def _trace(self, number: int) -> Trace:
        trace: list[tuple[str, State]] = []
        while number:
            before, after = self.states[self._origins[number]], self.states[number]
            ways = own_ways(self._world, before) + ways_from_outside(self._world, before)
            trace.append(next((label, state) for label, state in ways if state == after))
            number = self._origins[number]
        return tuple(reversed(trace))
