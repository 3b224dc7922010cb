"""What a run directory tells of a long sequence, finished or not."""

import dataclasses
import json
from pathlib import Path

import pytest

from hypermnesia.analyses.files import write_analysis
from hypermnesia.analyses.long_sequence import (
    NAME,
    LongSequence,
    long_sequence,
    long_sequence_chart,
    long_sequence_lines,
)
from hypermnesia.charts.chart import specification, svg
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.single_run.rundir import RunDirectory
from tests.runs import load


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run")
    with directory.opened(load("permuted-digits", ["tasks.num_tasks=4"]), {}, resume=False):
        pass
    directory.matrix(ACCURACY).write_text("after,a,b,c,d\na,0.9,,,\nb,0.8,1.0,,\nc,0.85,0.95,0.75,\n")
    directory.timing.write_text(
        "task,iterations,learning_seconds,evaluation_seconds\na,100,0.5,0.1\nb,200,2.0,0.1\nc,200,2.4,0.1\n"
    )
    return directory


def test_an_unfinished_run_is_analyzed_as_far_as_it_is(run):
    found = long_sequence(run)
    assert found.title == "permuted-digits, task-incremental, seed 0"
    assert (found.tasks, found.planned) == (("a", "b", "c"), 4)
    assert found.right_after == (0.9, 1.0, 0.75)
    assert found.at_end == (0.85, 0.95, 0.75)
    assert found.milliseconds == pytest.approx((5, 10, 12))
    assert found.largest_loss == pytest.approx(0.05)
    lines = list(long_sequence_lines(found))
    assert lines[0].endswith("3 of 4 tasks so far")
    assert "after 3 tasks  85.00 %, lowest 75.00 %" in lines


def test_one_table_may_have_a_task_more_than_the_other(run):
    rows = run.timing.read_text().splitlines()
    run.timing.write_text("\n".join(rows[:3]) + "\n")
    found = long_sequence(run)
    assert found.tasks == ("a", "b")
    assert found.at_end == (0.8, 1.0)


def test_what_was_not_tested_is_not_made_up(run):
    run.matrix(ACCURACY).write_text("after,a,b,c,d\na,0.9,,,\nb,,1.0,,\nc,,,0.75,\n")
    found = long_sequence(run)
    assert found.right_after == (0.9, 1.0, 0.75)
    assert found.at_end == (None, None, 0.75)
    assert any("evaluation.tasks" in line for line in long_sequence_lines(found))
    drawn = specification(long_sequence_chart(found))["vconcat"][0]["data"]["values"]
    assert [point["value"] for point in drawn if point["series"] == "after 3 tasks"] == [75.0]


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("accuracy.csv", "", "accuracy.csv is damaged"),
        ("accuracy.csv", "after,a,b\na,0.9\n", "accuracy.csv is damaged"),
        ("accuracy.csv", "after,a,b\na,much,\n", "accuracy.csv is damaged"),
        ("timing.csv", "task,iterations\na,3\n", "timing.csv is damaged"),
        ("timing.csv", "task,iterations,learning_seconds\na,0,1.0\n", "timing.csv is damaged"),
        ("accuracy.csv", None, "no task has been learned yet"),
        ("timing.csv", None, "no task has been learned yet"),
        ("config.yaml", None, "holds no run"),
    ],
)
def test_damage_is_explained(run, name, text, message):
    file = run.path / name
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        long_sequence(run)


def many(number: int) -> LongSequence:
    tasks = tuple(f"task {task}" for task in range(number))
    early = tuple(0.9 + 0.0001 * task for task in range(number))
    late = tuple(value - 0.01 for value in early)
    return LongSequence("many", tasks, number, early, late, (1.0, *(10.0 + task % 3 for task in range(number - 1))))


@pytest.mark.parametrize("number, window", [(1, 1), (19, 1), (20, 5), (100, 11), (250, 25)])
def test_the_window_is_odd_and_a_tenth_of_the_tasks(number, window):
    assert many(number).window == window


def test_the_first_task_does_not_count_among_the_early_ones():
    assert many(1).early_milliseconds is many(1).late_milliseconds is None
    assert (many(100).early_milliseconds, many(100).late_milliseconds) == (11.0, 11.0)


def test_lines_are_the_moving_average_of_the_points():
    run = dataclasses.replace(many(100), milliseconds=tuple(float(task) for task in range(100)))
    below = long_sequence_chart(run).to_dict()["vconcat"][1]
    (window,) = below["layer"][1]["transform"]
    assert window["frame"] == [-5, 5]
    assert "moving average over 11 tasks" in svg(long_sequence_chart(run)).decode()


def test_it_is_written_into_the_run_which_still_knows_all_its_files(run):
    found = long_sequence(run)
    paths = write_analysis(run.analyses, NAME, found, long_sequence_chart(found))
    assert {path.relative_to(run.path) for path in paths} == {
        Path("analyses") / f"long-sequence.{ending}" for ending in ("json", "svg", "png")
    }
    values = json.loads((run.analyses / "long-sequence.json").read_text())
    assert values["right_after"] == [0.9, 1.0, 0.75]
    run.check(run.read_experiment(), resume=False, overwrite=True)
