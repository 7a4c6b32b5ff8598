"""The page and the picture that a run writes."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.experiment.figures import Figures
from benchmarks.experiment.lessons import LESSONS, lessons
from benchmarks.experiment.page import page, write_docs
from benchmarks.experiment.picture import Scale, draw
from benchmarks.experiment.plan import Cell, ExperimentPlan, smallest_plan
from benchmarks.experiment.results import LoadResult
from tests.unit.benchmarks.experiment.reports import a_load, a_report, a_sale, a_whole_report


def lesson(name: str, report: dict[str, object]) -> str:
    [found] = [text for text in lessons(Figures(report)) if text.startswith(f"**{name}.**")]
    return found


def all_alike(cell: Cell) -> LoadResult:
    return a_load()


def turned_round(cell: Cell) -> LoadResult:
    """What nobody expects: the optimist wins."""
    others = {"optimistic": "grouped", "grouped": "optimistic"}
    return a_sale(Cell(others.get(cell.strategy, cell.strategy), cell.mode, cell.discs, cell.clients))


def test_the_page_has_a_row_for_every_combination_and_says_that_it_is_whole() -> None:
    text = page(a_whole_report())
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.endswith("| agrees |")]
    assert len(rows) == 120
    assert "120 combinations, with 1, 8, 32, 90, 256 clients." in text
    assert "$" not in text


def test_the_page_of_a_part_says_that_it_is_one() -> None:
    told = page(a_report(smallest_plan()).as_json())
    assert "24 combinations, with 8 clients (grouped, atomic, pessimistic, optimistic; sync, async, hybrid)" in told
    assert "a part of the whole, which has 120." in told


def test_the_page_stands_beside_the_original() -> None:
    assert "grouped 1,765 (37 times)" in page(a_whole_report())


def test_every_lesson_is_told_with_the_run_s_own_figures() -> None:
    report = a_whole_report()
    assert len(list(lessons(Figures(report)))) == len(LESSONS)
    assert "grouped came to 1,910 orders a second, atomic to 412" in lesson("One disc", report)
    assert "15.4 times optimistic" in lesson("One disc", report)
    assert "20% with 8 clients" in lesson("Optimism", report)
    assert "1.6 times what sync decided" in lesson("Async", report)


def test_a_lesson_turns_round_with_its_figures() -> None:
    turned = a_report(sale=turned_round).as_json()
    assert "optimistic came to 1,910 orders a second" in lesson("One disc", turned)
    alike = a_report(sale=all_alike).as_json()
    assert "More clients changed none of them much" in lesson("More clients", alike)
    assert "hardly a difference" in lesson("Few clients", alike)
    assert "was not what told them apart" in lesson("Many discs", alike)
    assert "no order was aborted" in lesson("Optimism", alike)
    assert "no more than sync decided" in lesson("Async", alike)


def test_a_lesson_whose_combinations_are_missing_is_left_out() -> None:
    report = a_report()
    report.results.cells[:] = [told for told in report.results.cells if told.cell.mode == "sync"]
    told = [text.split(".")[0] for text in lessons(Figures(report.as_json()))]
    assert "**Async" not in told
    assert "**One disc" in told


def test_a_strategy_that_served_nobody_has_its_lessons_too() -> None:
    report = a_report(sale=lambda cell: a_load(aborted=1_000 if cell.strategy == "pessimistic" else 0)).as_json()
    assert len(list(lessons(Figures(report)))) == len(LESSONS)
    assert "pessimistic to 0. " in lesson("One disc", report)
    draw(report)


def test_one_strategy_alone_has_a_page_too() -> None:
    plan = ExperimentPlan(quick=False, strategies=("grouped",), modes=("sync",), load_s=1.0)
    report = a_report(plan).as_json()
    assert "10 combinations, with 1, 8, 32, 90, 256 clients (grouped; sync), a part of the whole" in page(report)
    assert next(lessons(Figures(report))).startswith("**More clients.**")


def test_the_picture_has_a_line_for_each_strategy_in_each_panel() -> None:
    root = ET.fromstring(draw(a_whole_report()))
    lines = [element for element in root.iter() if element.get("class") == "line"]
    in_legend, panels, strategies = 4, 3 * 2 * 2, 4
    assert len(lines) == in_legend + panels * strategies
    assert all(len((line.get("points") or "").split()) == 5 for line in lines[in_legend:])
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"grouped", "atomic", "pessimistic", "optimistic", "sync", "async", "hybrid", "256"} <= texts
    assert any("h2load <1>" in (text or "") for text in texts)


def test_nothing_is_drawn_outside_the_picture() -> None:
    root = ET.fromstring(draw(a_whole_report()))
    width, height = (float(root.get(side) or 0) for side in ("width", "height"))
    points = [point.split(",") for line in root.iter() for point in (line.get("points") or "").split()]
    assert all(0 < float(x) < width and 0 < float(y) < height for x, y in points)


@pytest.mark.parametrize("values", [[0.0], [1.0], [2_050.0, 17.0], [99_999.0]])
def test_a_scale_has_room_for_all_values_and_ends_in_a_round_figure(values: list[float]) -> None:
    for is_logarithmic in (False, True):
        scale = Scale.of(values, is_logarithmic=is_logarithmic)
        assert all(0 <= scale.share(value) <= 1 for value in values)
        assert scale.ticks[-1] == scale.high


def test_page_and_picture_are_written_side_by_side(tmp_path: Path) -> None:
    write_docs(a_whole_report(), tmp_path / "docs")
    assert "](experiment.svg)" in (tmp_path / "docs" / "experiment.md").read_text(encoding="utf-8")
    ET.parse(tmp_path / "docs" / "experiment.svg")
