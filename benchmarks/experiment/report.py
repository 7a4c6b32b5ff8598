"""What is told of an experiment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.experiment.plan import ExperimentPlan
from benchmarks.experiment.results import ExperimentResults


@dataclass(frozen=True)
class ExperimentReport:
    """The figures of a run. `made` says how, when and on what."""

    plan: ExperimentPlan
    made: Mapping[str, object]
    results: ExperimentResults

    @property
    def faults(self) -> list[str]:
        """Why the run is not to be believed."""
        missing = self.plan.cells - self.results.left_out - len(self.results.cells)
        return [*([f"combinations that were not measured: {missing}"] if missing else []), *self.results.faults]

    @property
    def is_well(self) -> bool:
        """Whether all was measured, and all audits agree."""
        return not self.faults and not self.results.disagreements

    @property
    def last_line(self) -> str:
        """What a run ends with."""
        word = "OK" if self.is_well else "FAILED"
        return f"EXPERIMENT {word} cells={len(self.results.cells)} disagreements={self.results.disagreements}"

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is written to experiment.json."""
        return {
            "quick": self.plan.quick,
            "made": self.made,
            "cells": len(self.results.cells),
            "left_out": self.results.left_out,
            "results": [told.as_json() for told in self.results.cells],
            "audit": {
                "disagreements": self.results.disagreements,
                "shops": {shop: asdict(verdict) for shop, verdict in self.results.verdicts.items()},
            },
            "faults": self.faults,
        }
