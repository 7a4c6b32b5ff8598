"""A whole run, from an empty folder to a report."""

from pathlib import Path

from benchmarks.experiment.course import ExperimentCourse
from benchmarks.experiment.plan import Budget, ExperimentPlan
from benchmarks.experiment.report import ExperimentReport
from benchmarks.generators import find_generators
from benchmarks.load import allow_many_connections
from benchmarks.machine import describe
from benchmarks.progress import Progress
from benchmarks.stage import opened_stage


async def run_experiment(plan: ExperimentPlan, folder: Path, progress: Progress) -> ExperimentReport:
    """Measure all that the plan asks for. BenchmarkFailed or another LocalShopError if nothing can be measured."""
    budget = Budget(plan)
    allow_many_connections()
    generators = await find_generators(folder)
    progress.say(f"{plan.cells} combinations, with {generators.lightest.name}.")
    async with opened_stage(folder, customers=plan.customers, discs=plan.discs) as stage:
        course = ExperimentCourse(
            plan=plan, budget=budget, stage=stage, generator=generators.lightest, progress=progress
        )
        results = await course.run()
        made = {
            "strategies": list(plan.strategies),
            "modes": list(plan.modes),
            "spreads": list(plan.spreads),
            "clients": list(plan.clients),
            "discs": plan.discs,
            "load_s": plan.load_s,
            **await describe(stage.server, generators),
        }
    return ExperimentReport(plan, made, results)
