"""Test accuracy of two tasks on the straight line through their embeddings: what lies between two memories."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import altair
import numpy as np
import torch

from hypermnesia.analyses.analysis import Advanced, Analysis, Option, unheard
from hypermnesia.charts.chart import chart_of
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.embeddings import accuracy_at, line
from hypermnesia.experiments.recorded_runs.finished import FinishedRun

NAME = "interpolation"
_POSITIONS = torch.arange(-20, 61) / 40  # among them 0 and 1, exactly
_INPUTS_AT_A_TIME = 10_000
_WIDTH, _HEIGHT = 460, 260


@dataclasses.dataclass(frozen=True)
class TaskOnLine:
    """Test accuracy of one of the two tasks along the line.

    Attributes:
        number: Number of the task, from 1.
        name: Name of the task.
        accuracy: Accuracy on all its test examples, from 0 to 1, at each position.
    """

    number: int
    name: str
    accuracy: list[float]


@dataclasses.dataclass(frozen=True)
class AccuracyAlongLine:
    """Test accuracies along a line of embeddings.

    Attributes:
        run: Name of the experiment and seed, for people.
        positions: Positions on the line; 0 is the embedding of the first task, 1 that of the second.
        distance: Distance between the two embeddings.
        first: Task at position 0.
        second: Task at position 1.
    """

    run: str
    positions: list[float]
    distance: float
    first: TaskOnLine
    second: TaskOnLine


def interpolation(
    run: FinishedRun, between: Sequence[int] | None = None, advanced: Advanced = unheard
) -> AccuracyAlongLine:
    """Measure the accuracies of two tasks along the line through their embeddings, half its length beyond either.

    Args:
        run: Run to look into.
        between: Two tasks, counted from 1; None takes the first and the last.
        advanced: Function that is told of each of the two.

    Raises:
        ConfigurationError: There are no two such tasks.
    """
    known = len(run.tasks)
    between = [1, known] if between is None else between
    if len(between) != 2:
        raise ConfigurationError(f"between: '{','.join(map(str, between))}' must name two tasks, as 1,2 does.")
    if strangers := [number for number in between if not 1 <= number <= known]:
        raise ConfigurationError(
            f"between: there is no task {strangers[0]}; the run has {known} tasks, counted from 1."
        )
    if between[0] == between[1]:
        raise ConfigurationError("between: between a task and itself lies nothing; name two tasks, as in 1,2.")
    start, end = run.learner.hypernetwork.embeddings([number - 1 for number in between])
    points = line(start, end, _POSITIONS)
    found = []
    for number in between:
        found.append(TaskOnLine(number, run.tasks[number - 1].name, _accuracies(run, number - 1, points)))
        advanced(len(found), len(between))
    return AccuracyAlongLine(run.title, _POSITIONS.tolist(), float((end - start).norm()), *found)


def _accuracies(run: FinishedRun, task: int, points: torch.Tensor) -> list[float]:
    test = run.tasks[task].test
    assert test is not None
    right = torch.zeros(len(points), dtype=torch.float64)
    for inputs, labels in test.in_order(_INPUTS_AT_A_TIME):
        right += len(labels) * accuracy_at(run.learner, points, inputs, labels, task)
    found: list[float] = (right / len(test)).tolist()
    return found


def interpolation_chart(result: AccuracyAlongLine) -> altair.TopLevelMixin:
    """Chart of both accuracies as curves, with dashed lines where the two embeddings are."""
    tasks = (result.first, result.second)
    names = [f"task {task.number}: {task.name}" for task in tasks]
    rows = [
        {"position": position, "accuracy": 100 * accuracy, "task": name}
        for task, name in zip(tasks, names, strict=True)
        for position, accuracy in zip(result.positions, task.accuracy, strict=True)
    ]
    color = altair.Color(
        "task:N", title=None, legend=altair.Legend(symbolType="stroke"), scale=altair.Scale(domain=names)
    )
    base = chart_of(rows).encode(
        x=altair.X("position:Q", title="position on the line", scale=altair.Scale(nice=False)),
        y=altair.Y("accuracy:Q", title="test accuracy (%)", scale=altair.Scale(domain=[0, 100])),
        color=color,
    )
    curves = base.mark_line(strokeWidth=2).encode(
        strokeDash=altair.StrokeDash("task:N", sort=names, title=None, scale=altair.Scale(domain=names))
    )
    # Nobody hits a thin line: what tells values is an invisible point at each of them.
    points = base.mark_point(filled=True, size=60, opacity=0).encode(
        tooltip=["task:N", altair.Tooltip("position:Q", format=".3f"), altair.Tooltip("accuracy:Q", format=".2f")]
    )
    embeddings = [
        {"position": place, "label": f"embedding {task.number}", "task": name}
        for place, task, name in zip((0, 1), tasks, names, strict=True)
    ]
    places = chart_of(embeddings).encode(x="position:Q", color=color, tooltip=["label:N"])
    rules = places.mark_rule(strokeDash=[2, 3])
    labels = places.mark_text(align="left", dx=4, dy=-4, baseline="bottom", fontSize=11).encode(
        y=altair.value("height"), text="label:N"
    )
    return altair.layer(rules, curves, labels, points).properties(
        width=_WIDTH,
        height=_HEIGHT,
        title=altair.TitleParams(
            f"{result.run}: between two embeddings", subtitle=f"they are {result.distance:.3g} apart; all test images"
        ),
    )


def interpolation_text(result: AccuracyAlongLine) -> Iterator[str]:
    """Lines for a terminal: accuracies at both embeddings and half-way, a line for each task."""
    first, second = result.first.number, result.second.number
    yield f"{'task':>4}  {f'at {first}':>9}  {'half-way':>9}  {f'at {second}':>9}"
    places = [int(np.abs(np.array(result.positions) - place).argmin()) for place in (0, 0.5, 1)]
    for task in (result.first, result.second):
        yield f"{task.number:>4}  " + "  ".join(f"{100 * task.accuracy[place]:>7.2f} %" for place in places)


ANALYSIS = Analysis(
    name=NAME,
    help="Test accuracy of two tasks on the line through their embeddings: what lies between two memories.",
    compute=interpolation,
    result=AccuracyAlongLine,
    chart=interpolation_chart,
    lines=interpolation_text,
    title="Between two embeddings",
    alternative="Test accuracy on two tasks along the straight line through their embeddings.",
    options=(Option("between", "integers", "", "I,J", "Two tasks, counted from 1. [default: the first and the last]"),),
    steps="tasks",
)
