"""Which combinations are measured, and for how long."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

STRATEGIES = ("grouped", "atomic", "pessimistic", "optimistic")
MODES = ("sync", "async", "hybrid")
ONE, MANY = "one", "many"
CLIENTS = (1, 8, 32, 90, 256)
# The more telling ones first: where time gets short, the others are left out.
QUICK_CLIENTS = (90, 8)
# Connections to each service's database: those of all shops that are open together have to fit into one server, and into its roles' limits.
POOL_SIZES = {"catalog": 13, "customer": 6, "order": 10}
# The end of the last combinations, and the audits of their shops, come on top.
FULL_BUDGET_S = 22 * 60.0
QUICK_BUDGET_S = 170.0


@dataclass(frozen=True)
class Cell:
    """One combination: so many clients buy one disc, or each time any of many."""

    strategy: str
    mode: str
    discs: str
    clients: int


@dataclass(frozen=True, kw_only=True)
class ExperimentPlan:
    """What is combined with what, and how long each load should last.

    A load has `calls_max` calls at most; once `budget_s` gets short, loads get shorter, down to `load_s_min`. In a quick run each mode
    has its share of the budget, beyond which its further combinations are left out. What a load left open has `settle_limit_s` to end.
    """

    quick: bool
    strategies: Sequence[str] = STRATEGIES
    modes: Sequence[str] = MODES
    spreads: Sequence[str] = (ONE, MANY)
    clients: Sequence[int] = CLIENTS
    load_s: float
    load_s_min: float = 0.3
    last_copies_s: float = 0.4
    calls_max: int = 5_000
    settle_limit_s: float = 120.0
    budget_s: float = float("inf")
    customers: int = 1_000
    discs: int = 1_000

    @property
    def cells_of_a_mode(self) -> int:
        """How many combinations a mode has."""
        return len(self.strategies) * len(self.spreads) * len(self.clients)

    @property
    def cells(self) -> int:
        """How many combinations there are."""
        return len(self.modes) * self.cells_of_a_mode

    def rows(self, mode: str) -> Iterator[Sequence[Cell]]:
        """Yield what is measured side by side: all strategies, in an order that turns round each time."""
        combinations = [(discs, clients) for clients in self.clients for discs in self.spreads]
        for number, (discs, clients) in enumerate(combinations):
            cells = [Cell(strategy, mode, discs, clients) for strategy in self.strategies]
            yield cells if number % 2 == 0 else cells[::-1]


def full_plan() -> ExperimentPlan:
    """All there is, in less than 25 minutes."""
    return ExperimentPlan(quick=False, load_s=3.0, budget_s=FULL_BUDGET_S)


def quick_plan() -> ExperimentPlan:
    """Every strategy in every mode, within five minutes."""
    return ExperimentPlan(
        quick=True,
        clients=QUICK_CLIENTS,
        load_s=1.0,
        last_copies_s=0.2,
        calls_max=2_000,
        settle_limit_s=60.0,
        budget_s=QUICK_BUDGET_S,
    )


def smallest_plan() -> ExperimentPlan:
    """A few dozen calls of each combination, to see that all is measured; its figures mean nothing."""
    return ExperimentPlan(
        quick=True, clients=(8,), load_s=0.1, last_copies_s=0.05, calls_max=60, customers=20, discs=10
    )


class Budget:
    """Shares the time that is left among the cells that are left; the time runs from when it is made."""

    def __init__(self, plan: ExperimentPlan) -> None:
        self._plan = plan
        self._start_s = time.monotonic()
        self._deadline_s = self._start_s + plan.budget_s
        self._left = plan.cells
        self._beside_s: list[float] = []

    def load_s(self) -> float:
        """Return how long the next cell's load may be: a cell's share of the time, less what the cells so far took beside their loads."""
        share_s = (self._deadline_s - time.monotonic()) / max(self._left, 1)
        beside_s = mean(self._beside_s) if self._beside_s else 0.0
        return min(max(share_s - beside_s, self._plan.load_s_min), self._plan.load_s)

    def is_over(self, mode: str) -> bool:
        """Tell whether a mode's share of the time is over, in a run that may leave something out."""
        share = (self._plan.modes.index(mode) + 1) / len(self._plan.modes)
        return self._plan.quick and time.monotonic() > self._start_s + self._plan.budget_s * share

    def leave_out(self, cells: int) -> None:
        """Note that so many cells are not going to be measured."""
        self._left -= cells

    def spent(self, seconds: float, *, load_s: float) -> None:
        """Note how long a cell took whose load should have lasted load_s."""
        self._left -= 1
        self._beside_s.append(max(seconds - load_s, 0.0))
