"""A whole run, from an empty folder to a report."""

from pathlib import Path

from benchmarks.course import Course
from benchmarks.generators import find_generators
from benchmarks.load import allow_many_connections
from benchmarks.machine import describe
from benchmarks.pgbench import Pgbench
from benchmarks.plan import Plan
from benchmarks.progress import Progress
from benchmarks.report import Report
from benchmarks.stage import opened_stage

BENCH_JSON = "bench.json"


async def run_bench(plan: Plan, folder: Path, progress: Progress) -> Report:
    """Measure all that the plan asks for. BenchmarkFailed or another LocalShopError if it cannot be measured."""
    allow_many_connections()
    generators = await find_generators(folder)
    beside = f", {generators.other.name} beside it" if generators.other else ""
    progress.say(f"{plan.clients} clients of {generators.lightest.name}{beside}.")
    async with opened_stage(folder, customers=plan.customers, discs=plan.discs) as stage:
        pgbench = Pgbench(stage.server, folder)
        await pgbench.prepare()
        course = Course(plan=plan, stage=stage, pgbench=pgbench, generators=generators, progress=progress)
        results = await course.run()
        made = {
            "clients": plan.clients,
            "discs": plan.discs,
            "rows_filled": plan.rows_filled,
            "ungrouped_pool_size": results.ungrouped_pool_size,
            **await describe(stage.server, generators),
        }
    return Report(quick=plan.quick, made=made, results=results)
