"""What a spell of chaos came to, and several together."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.violation import Violation


@dataclass
class Tally:
    """The figures of the report."""

    faults: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    open_orders_at_end: int = 0
    recovery_s: float = 0.0
    violations: list[Violation] = field(default_factory=list)
    # What the nemesis did, in words, for whoever reads a violation.
    struck: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Takes another one's figures in; the longest recovery counts."""
        self.faults += other.faults
        self.calls += other.calls
        self.acknowledged += other.acknowledged
        self.open_orders_at_end += other.open_orders_at_end
        self.recovery_s = max(self.recovery_s, other.recovery_s)
        self.violations += other.violations
        self.struck += other.struck
