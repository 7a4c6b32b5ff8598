"""Which combinations are measured, in which order, and for how long."""

import pytest

from benchmarks.experiment import plan as plans
from benchmarks.experiment.plan import Budget, full_plan, quick_plan, smallest_plan


def test_a_full_run_measures_every_combination_once() -> None:
    plan = full_plan()
    cells = [cell for mode in plan.modes for row in plan.rows(mode) for cell in row]
    assert len(cells) == len(set(cells)) == plan.cells == 120
    assert {cell.clients for cell in cells} == {1, 8, 32, 90, 256}


def test_all_strategies_are_measured_side_by_side_and_none_is_always_the_first() -> None:
    rows = list(full_plan().rows("sync"))
    assert all(len({cell.strategy for cell in row}) == 4 for row in rows)
    assert all(len({(cell.mode, cell.discs, cell.clients) for cell in row}) == 1 for row in rows)
    assert {row[0].strategy for row in rows} == {"grouped", "optimistic"}


@pytest.mark.parametrize("plan", [quick_plan(), smallest_plan()])
def test_smaller_runs_have_every_strategy_in_every_mode(plan: plans.ExperimentPlan) -> None:
    cells = [cell for mode in plan.modes for row in plan.rows(mode) for cell in row]
    assert len({(cell.strategy, cell.mode, cell.discs) for cell in cells}) == 4 * 3 * 2
    assert plan.quick


def test_only_a_quick_run_leaves_something_out_when_a_mode_has_had_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(plans.time, "monotonic", lambda: now_s)
    quick, full = Budget(quick_plan()), Budget(full_plan())
    now_s = quick_plan().budget_s / 2
    assert [quick.is_over(mode) for mode in quick_plan().modes] == [True, False, False]
    now_s = full_plan().budget_s * 2
    assert not full.is_over("sync")


def test_loads_get_shorter_when_time_gets_short(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(plans.time, "monotonic", lambda: now_s)
    plan = quick_plan()
    budget = Budget(plan)
    assert budget.load_s() == plan.load_s
    for _ in range(plan.cells // 2):
        now_s += plan.budget_s / plan.cells * 1.5
        budget.spent(plan.budget_s / plan.cells * 1.5, load_s=1.0)
    assert budget.load_s() == plan.load_s_min
