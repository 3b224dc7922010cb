"""Test accuracy of two tasks on the straight line through their embeddings: what lies between two memories."""

from __future__ import annotations

import dataclasses

import torch

from hypermnesia.analyses.results import Advanced
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.embeddings import accuracy_at, line
from hypermnesia.experiments.recorded_runs.finished import FinishedRun

NAME = "interpolation"
_POSITIONS = torch.arange(-20, 61) / 40  # among them 0 and 1, exactly
_INPUTS_AT_A_TIME = 10_000


@dataclasses.dataclass(frozen=True)
class TaskOnLine:
    """One of the two tasks.

    Attributes:
        number: Of the task, from 1.
        name: Of the task.
        accuracy: On all its test examples, from 0 to 1, at each position.
    """

    number: int
    name: str
    accuracy: list[float]


@dataclasses.dataclass(frozen=True)
class AccuracyAlongLine:
    """Test accuracies along a line of embeddings.

    Attributes:
        run: Name of the experiment and seed, for people.
        positions: 0 is the embedding of the first task, 1 that of the second.
        distance: Between the two embeddings.
        first: The task at 0.
        second: The task at 1.
    """

    run: str
    positions: list[float]
    distance: float
    first: TaskOnLine
    second: TaskOnLine


def interpolation(
    run: FinishedRun, between: tuple[int, int], advanced: Advanced = lambda done, of: None
) -> AccuracyAlongLine:
    """Measure the accuracies of two tasks along the line through their embeddings, half its length beyond either.

    Args:
        run: What to look into.
        between: The two tasks, counted from 1.
        advanced: Is told of each of the two.

    Raises:
        ConfigurationError: There are no two such tasks.
    """
    known = len(run.tasks)
    if strangers := [number for number in between if not 1 <= number <= known]:
        raise ConfigurationError(
            f"--between: there is no task {strangers[0]}; the run has {known} tasks, counted from 1."
        )
    if between[0] == between[1]:
        raise ConfigurationError("--between: between a task and itself lies nothing; name two tasks, as in 1,2.")
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
