"""Methods on each task: what stands in the table, the files and the pictures, and what is gained over from scratch."""

import csv
import io

import numpy as np
import pytest

from hypermnesia.analyses.sheet import as_csv, write_sheet
from hypermnesia.charts.chart import svg
from hypermnesia.criteria import ERROR
from hypermnesia.experiments.recorded_runs.by_task import forward_transfer, reference
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.task_table import comparable, task_chart, task_sheet
from tests.runs import load, recorded

NAN = np.nan
ALONE = np.array([[0.5, NAN, NAN], [0.5, 0.6, NAN], [0.5, 0.6, 0.7]])
MATRIX = np.array([[0.5, NAN, NAN], [0.45, 0.65, NAN], [0.4, 0.6, 0.9]])


def group(label: str, *matrices: np.ndarray, settings: tuple[str, ...] = (), method: str = "hnet", **more) -> Group:
    runs = [
        recorded(load("split-digits", [*settings, f"seed={seed}"], method), matrix, **more)
        for seed, matrix in enumerate(matrices)
    ]
    return Group(label, tuple(runs))


@pytest.fixture
def groups() -> dict[str, Group]:
    """A method over two seeds, what it is without transfer, and a standard network."""
    return {
        "HNET": group("HNET", MATRIX, MATRIX + 0.02),
        "from scratch": group("from scratch", ALONE, ALONE, method="from-scratch"),
        "fine-tuning": group("fine-tuning", MATRIX, method="fine-tuning"),
    }


def test_each_task_right_after_learning_and_at_the_end(groups):
    sheet = task_sheet("by-task", "Digits", groups)
    assert sheet is not None
    assert sheet.head == ["", "task 1", "task 2", "task 3", "average"]
    assert sheet.rows == [
        ["HNET", "51.0 → 41.0", "66.0 → 61.0", "91.0 → 91.0", "69.3 → 64.3"],
        ["HNET, transfer", "+1.0", "+6.0", "+21.0", "+13.5"],
        ["from scratch", "50.0 → 50.0", "60.0 → 60.0", "70.0 → 70.0", "60.0 → 60.0"],
        ["fine-tuning", "50.0 → 40.0", "65.0 → 60.0", "90.0 → 90.0", "68.3 → 63.3"],
    ]
    lines = list(csv.DictReader(io.StringIO(as_csv(sheet))))
    assert len(lines) == 9
    second = lines[1]
    assert (second["method"], second["task"], second["name"]) == ("HNET", "2", "task 2")
    assert float(second["right_after_percent"]) == pytest.approx(66)
    assert float(second["right_after_sem"]) == pytest.approx(1)
    assert float(second["at_the_end_percent"]) == pytest.approx(61)
    assert float(second["forward_transfer_percent"]) == pytest.approx(6)
    assert lines[-1]["forward_transfer_percent"] == ""


def test_files_and_pictures(groups, tmp_path):
    sheet = task_sheet("by-task", "Digits", groups)
    chart = task_chart(groups, "Digits")
    assert sheet is not None and chart is not None
    assert {path.suffix for path in write_sheet(tmp_path, sheet, chart)} == {".md", ".csv", ".svg", ".png"}
    drawn = svg(chart).decode()
    for text in ("right after learning", "after the last task", "fine-tuning", "better than from scratch by (%)"):
        assert text in drawn
    # The legend of each panel says what its shapes mean, and what is in both has one color.
    assert [drawn.count(f">{text}<") for text in (*groups, "right after learning")] == [2, 1, 1, 1]
    colors = [panel["layer"][-1]["encoding"]["color"]["scale"]["domain"] for panel in chart.to_dict()["vconcat"]]
    assert colors == [list(groups)] * 2
    without = {name: found for name, found in groups.items() if name != "from scratch"}
    assert "better than from scratch" not in svg(task_chart(without, "Digits")).decode()


def test_a_generated_network_is_held_against_a_generated_one_and_a_standard_one_against_a_standard_one(groups):
    separate = group("separate", ALONE, method="separate")
    everything = [*groups.values(), separate]
    assert reference(groups["HNET"], everything) is groups["from scratch"]
    assert reference(groups["fine-tuning"], everything) is separate
    for apart in (groups["from scratch"], separate):
        assert reference(apart, everything) is None


def test_from_scratch_is_learned_in_the_same_way_from_the_same_examples():
    few = ("tasks.examples=0.1",)
    apart = {
        "all": group("all", ALONE, method="from-scratch"),
        "few": group("few", ALONE, method="from-scratch", settings=few),
        "zero": group("zero", ALONE, method="from-scratch", settings=("learner.start=zero",)),
        "longer": group("longer", ALONE, method="from-scratch", settings=("training.iterations=999",)),
    }
    expected = {(): "all", few: "few", ("learner.start=zero",): "zero", ("training.iterations=7",): None}
    for settings, name in expected.items():
        found = reference(group("HNET", MATRIX, settings=settings), list(apart.values()))
        assert (found and found.label) == name


def test_transfer_is_over_the_seeds_that_both_have():
    gains = forward_transfer(group("HNET", MATRIX, MATRIX + 0.1), group("from scratch", ALONE, method="from-scratch"))
    assert [gain.mean for gain in gains] == pytest.approx([0, 0.05, 0.2])
    assert [gain.sem for gain in gains] == [None, None, None]


def test_less_error_is_a_gain():
    one = group("HNET", 1 - MATRIX, metric=ERROR)
    other = group("from scratch", 1 - ALONE, method="from-scratch", metric=ERROR)
    assert [gain.mean for gain in forward_transfer(one, other)] == pytest.approx([0, 0.05, 0.2])


def test_only_finished_runs_of_as_many_tasks_stand_beside_each_other(groups):
    unfinished = group("unfinished", MATRIX, finished=False)
    shorter = group("shorter", MATRIX[:2, :2])
    kept = comparable({"unfinished": unfinished, **groups, "shorter": shorter})
    assert list(kept) == list(groups)
    assert task_sheet("x", "x", {"unfinished": unfinished}) is None
    assert task_chart({}, "x") is None
