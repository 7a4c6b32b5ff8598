"""The figures of experiment.json, by combination."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


class NotMeasured(KeyError):
    """A combination that the run has not."""


class Figures:
    """Looks combinations up. `strategies`, `modes`, `spreads` and `clients` are those that were measured."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.results: Sequence[Result] = report["results"]
        self.made: Mapping[str, Any] = report["made"]
        self.disagreements: int = report["audit"]["disagreements"]
        self.strategies = _order(self.made["strategies"], (told["strategy"] for told in self.results))
        self.modes = _order(self.made["modes"], (told["mode"] for told in self.results))
        self.spreads = _order(self.made["spreads"], (told["discs"] for told in self.results))
        self.clients = sorted({int(told["clients"]) for told in self.results})
        self._cells: dict[tuple[str, str, str, int], Result] = {
            (told["strategy"], told["mode"], told["discs"], told["clients"]): told for told in self.results
        }

    def cell(self, strategy: str, mode: str, discs: str, clients: int) -> Result:
        """Return what was measured of a combination; NotMeasured if it was not."""
        if not self.has(strategy, mode, discs, clients):
            raise NotMeasured(strategy, mode, discs, clients)
        return self._cells[strategy, mode, discs, clients]

    def has(self, strategy: str, mode: str, discs: str, clients: int) -> bool:
        """Tell whether a combination was measured."""
        return (strategy, mode, discs, clients) in self._cells

    def rate(self, strategy: str, mode: str, discs: str, clients: int) -> float:
        """Return a combination's orders a second."""
        return float(self.cell(strategy, mode, discs, clients)["orders_per_s"])

    def nearest(self, clients: int) -> int:
        """Return the measured number of clients that is nearest to this one."""
        return min(self.clients, key=lambda measured: abs(measured - clients))


def _order(planned: Iterable[str], found: Iterable[str]) -> list[str]:
    known = set(found)
    return [name for name in planned if name in known]
