"""Where a process counts: float64 places of one page of memory, which a parent can share with its workers.

A page belongs to one event loop, so that counting takes no lock: an order costs a microsecond of it. Whoever reads does so from another
thread, or from the parent process, and never waits for the loop. What a worker counted is still there when it was killed, and its successor
counts on from it, so that no counter falls back.
"""

import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Literal

PAGE_SIZE_BYTES = 64 * 1024
PLACES_MAX = PAGE_SIZE_BYTES // 8

Labels = tuple[str, ...]


class Merge(Enum):
    """What several workers' values of one gauge come to."""

    SUM = "sum"
    MAX = "max"
    LATEST = "latest"
    """The value that was set last; it outlives the worker that set it."""


@dataclass(frozen=True)
class Family:
    """One metric: its children, one for each set of label values, lie one after the other from `first` on, `width` places each."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: Labels
    children: Sequence[Labels]
    first: int
    width: int
    bounds: Sequence[float] = ()
    merge: Merge = Merge.SUM
    rare: frozenset[Labels] = frozenset()
    """Children that are told of from their first use on; all others are there at 0, so that they can be seen to rise."""


class Cell:
    """A counter, or a gauge."""

    __slots__ = ("_values", "place")

    def __init__(self, values: "memoryview[float]", place: int) -> None:
        self._values = values
        self.place = place

    def add(self, amount: float = 1.0) -> None:
        """Counts on, or back where it is a gauge."""
        self._values[self.place] += amount

    def set(self, value: float) -> None:
        """Sets a gauge."""
        self._values[self.place] = value

    @property
    def value(self) -> float:
        """What it stands at in this process."""
        return float(self._values[self.place])


class LatestCell(Cell):
    """A gauge of which, among several workers, the value counts that was set last."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Sets it, and notes when; Linux has one monotonic clock for all processes."""
        self._values[self.place] = value
        self._values[self.place + 1] = time.monotonic()


class Distribution:
    """A histogram: a place for each bound, one for what is above all, and one for the sum."""

    __slots__ = ("_bounds", "_first", "_sum", "_values")

    def __init__(self, values: "memoryview[float]", first: int, bounds: Sequence[float]) -> None:
        self._values = values
        self._first = first
        self._bounds = bounds
        self._sum = first + len(bounds) + 1

    def observe(self, value: float) -> None:
        """Counts one value."""
        self._values[self._first + bisect_left(self._bounds, value)] += 1.0
        self._values[self._sum] += value


class Page:
    """Declares metrics and gives them their places; two pages with the same declarations have the same places."""

    def __init__(self, memory: mmap.mmap | None = None) -> None:
        self.values = memoryview(mmap.mmap(-1, PAGE_SIZE_BYTES) if memory is None else memory).cast("d")
        self.families: list[Family] = []
        self._used = 0

    @classmethod
    def shared(cls, descriptor: int) -> "Page":
        """The page behind a descriptor of `make_shared_memory`."""
        return cls(mmap.mmap(descriptor, PAGE_SIZE_BYTES))

    def counter(self, name: str, text: str, **labels: Sequence[str]) -> dict[Labels, Cell]:
        """Declares a counter with a child for each combination of label values."""
        family = self._declare("counter", name, text, tuple(labels), list(product(*labels.values())))
        return {child: Cell(self.values, place) for child, place in self._places(family)}

    def counter_of(
        self, name: str, text: str, labels: Labels, children: Sequence[Labels], rare: Iterable[Labels] = ()
    ) -> dict[Labels, Cell]:
        """Declares a counter with these children alone."""
        family = self._declare("counter", name, text, labels, children, rare=rare)
        return {child: Cell(self.values, place) for child, place in self._places(family)}

    def gauge(self, name: str, text: str, merge: Merge = Merge.SUM, **labels: Sequence[str]) -> dict[Labels, Cell]:
        """Declares a gauge with a child for each combination of label values."""
        return self.gauge_of(name, text, tuple(labels), list(product(*labels.values())), merge)

    def gauge_of(
        self, name: str, text: str, labels: Labels, children: Sequence[Labels], merge: Merge = Merge.SUM
    ) -> dict[Labels, Cell]:
        """Declares a gauge with these children alone."""
        kind, width = (LatestCell, 2) if merge is Merge.LATEST else (Cell, 1)
        family = self._declare("gauge", name, text, labels, children, width=width, merge=merge)
        return {child: kind(self.values, place) for child, place in self._places(family)}

    def histogram(
        self, name: str, text: str, bounds: Sequence[float], **labels: Sequence[str]
    ) -> dict[Labels, Distribution]:
        """Declares a histogram with a child for each combination of label values."""
        return self.histogram_of(name, text, bounds, tuple(labels), list(product(*labels.values())))

    def histogram_of(
        self,
        name: str,
        text: str,
        bounds: Sequence[float],
        labels: Labels,
        children: Sequence[Labels],
        *,
        rare: Iterable[Labels] = (),
    ) -> dict[Labels, Distribution]:
        """Declares a histogram with these children alone."""
        width = len(bounds) + 2
        family = self._declare("histogram", name, text, labels, children, width=width, bounds=bounds, rare=rare)
        return {child: Distribution(self.values, place, bounds) for child, place in self._places(family)}

    def forget_gauges(self) -> None:
        """Sets to 0 what was true of a process that has ended. Counters stay, and so does what outlives its process."""
        for family in self.families:
            if family.kind == "gauge" and family.merge is not Merge.LATEST:
                for _, place in self._places(family):
                    self.values[place] = 0.0

    def _declare(
        self,
        kind: Literal["counter", "gauge", "histogram"],
        name: str,
        text: str,
        labels: Labels,
        children: Sequence[Labels],
        *,
        width: int = 1,
        bounds: Sequence[float] = (),
        merge: Merge = Merge.SUM,
        rare: Iterable[Labels] = (),
    ) -> Family:
        family = Family(
            kind, name, text, labels, tuple(children), self._used, width, tuple(bounds), merge, frozenset(rare)
        )
        self._used += width * len(children)
        if self._used > PLACES_MAX:
            raise ValueError(f"{name} does not fit: a page has {PLACES_MAX} places")
        self.families.append(family)
        return family

    @staticmethod
    def _places(family: Family) -> Sequence[tuple[Labels, int]]:
        return [(child, family.first + number * family.width) for number, child in enumerate(family.children)]


def make_shared_memory(name: str) -> int:
    """Makes memory for one page, all zero, and answers its descriptor, which a child may inherit."""
    descriptor = os.memfd_create(name)
    os.truncate(descriptor, PAGE_SIZE_BYTES)
    return descriptor
