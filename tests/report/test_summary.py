import io

import numpy as np
import pytest
from rich.console import Console

from hypermnesia.criteria import ACCURACY
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.single_run.summary import RunState, Summary
from hypermnesia.report.summary import print_summary


def printed(tasks: int, found: dict | None = None, **console) -> str:
    matrix = np.full((tasks, tasks), 0.9876)
    matrix[-1] = 0.95
    matrix[np.triu_indices(tasks, 1)] = np.nan
    state = RunState(
        tasks=[str(task) for task in range(tasks)],
        rows=[[None if np.isnan(value) else value for value in row] for row in matrix.tolist()],
        **{"averages": {"task": 0.95}, **(found or {})},
        memory_bytes=[4] * tasks,
        iterations=[1] * tasks,
        learning_seconds=[3700.0 / tasks] * tasks,
        evaluation_seconds=[23.0 / tasks] * tasks,
    )
    summary = Summary(
        experiment=load_experiment("split-digits", {}),
        state=state,
        metric=ACCURACY,
        directory="runs/somewhere",
        chance=np.full(tasks, 0.5),
        compression=0.8,
        num_weights=1,
    )
    file = io.StringIO()
    print_summary(Console(file=file, width=80, **console), summary)
    return file.getvalue()


def test_ten_tasks_fit_on_eighty_columns():
    lines = printed(10).splitlines()
    assert lines[1].split() == ["after", "task", *map(str, range(1, 11))]
    assert lines[2].split() == ["1", "98.76"]
    assert lines[11].split() == ["10", *["95.00"] * 10]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("tasks", [11, 100, 250])
def test_more_tasks_become_ten_groups(tasks):
    lines = printed(tasks).splitlines()
    assert lines[1].split() == ["tasks", "right", "after", "worst", "at", "the", "end", "worst"]
    assert lines[11].split()[-5] == str(tasks)
    assert "average accuracy" in lines[12]
    assert max(map(len, lines)) <= 80


def test_figures_are_percentages_and_what_is_not_defined_is_left_out():
    text = printed(2)
    for line in ("average accuracy      95.00 %", "backward transfer     -3.76 %", "1 h 2 min", "runs/somewhere"):
        assert line in text
    for left_out in ("forward transfer", "task inferred", "task-incremental"):
        assert left_out not in text


def test_several_scenarios_and_the_inferred_task_have_their_figures():
    scenarios = {"averages": {"task": 0.99, "domain": 0.9, "class": 0.95}}
    text = printed(2, {**scenarios, "inferred": [[7, 1], [1, 7]]})
    wanted = ["  task-incremental    99.00 %", "  domain-incremental  90.00 %", "  class-incremental   95.00 %"]
    wanted.append("task inferred         87.50 %")
    lines = text.splitlines()
    first = lines.index("average accuracy      95.00 %")
    assert lines[first + 1 : first + 5] == wanted


def test_colors_are_for_terminals_only():
    assert "\x1b[" not in printed(3)
    assert "\x1b[" in printed(3, force_terminal=True, color_system="truecolor")
