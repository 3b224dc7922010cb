"""Test score of a learner in each scenario, and the tasks that it infers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import numbers_in
from hypermnesia.learners.prediction import LearnedTask
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.scenario import Scenario

if TYPE_CHECKING:
    from hypermnesia.learners.answering import Answering

# Inputs asked at a time: so many that the networks of all tasks are generated once for a test set of usual size.
_MOST_INPUTS, _MOST_NUMBERS = 10_000, 2**25


@dataclasses.dataclass(frozen=True)
class Score:
    """Score of a learner on the examples of one task.

    Attributes:
        value: Mean of the metric over examples, by scenario: accuracy from 0 to 1, or mean squared error.
        inferred: Number of inputs taken to belong to each task; None where the learner was told, or infers none.
    """

    value: dict[Scenario, float]
    inferred: list[int] | None


def score(learner: Answering, examples: Examples, task: int, scenarios: Sequence[Scenario] = ("task",)) -> Score:
    """Score a learner on all examples of a task.

    In the task-incremental scenario it is told the task. In the others it is not: then its label counts in the
    domain-incremental scenario, label and inferred task together in the class-incremental one.

    Args:
        learner: Learner that has seen the task.
        examples: Examples to score on.
        task: Number of the task, in the order of learning, from 0.
        scenarios: Scenarios to score in.

    Raises:
        ConfigurationError: The learner does not answer in one of them.
        DataError: Inputs or labels are of another kind than those that were learned.
    """
    if strangers := [scenario for scenario in scenarios if scenario not in learner.scenarios]:
        raise ConfigurationError(
            f"this learner does not answer in the {strangers[0]}-incremental scenario, only in: "
            f"{', '.join(learner.scenarios)}"
        )
    if examples.labels != learner.criterion.labels:
        raise DataError(
            f"labels of these examples are {examples.labels}, but what was learned are {learner.criterion.labels}:"
            " integer labels are classes, floating-point labels are regression targets"
        )
    assert learner.input_kind is not None
    examples = examples.prepared(learner.input_kind)
    sums: dict[Scenario, float] = dict.fromkeys(scenarios, 0.0)
    count = 0
    counts: Tensor | None = None
    known = learner.num_tasks + (learner.in_progress is not None)
    batch_size = max(1, min(_MOST_INPUTS, _MOST_NUMBERS // max(1, numbers_in(examples.input_shape))))
    for inputs, targets in examples.in_order(batch_size):
        targets = targets.to(learner.device)
        count += len(targets)
        if "task" in sums:
            answer = learner.predict(inputs, task)
            _check_targets(targets, answer.tasks[task])
            sums["task"] += _merit(learner, answer.outputs, targets)
        if sums.keys() == {"task"}:
            continue
        prediction = learner.predict(inputs)
        _check_targets(targets, prediction.tasks[task])
        if "domain" in sums:
            sums["domain"] += _merit(learner, prediction.outputs, targets)
        if prediction.task is not None:
            found = torch.bincount(prediction.task, minlength=known)
            counts = found if counts is None else counts + found
            if "class" in sums:
                right = prediction.task == task
                sums["class"] += _merit(learner, prediction.outputs[right], targets[right])
    value = {scenario: total / count for scenario, total in sums.items()}
    return Score(value, None if counts is None else counts.tolist())


def _check_targets(targets: Tensor, task: LearnedTask) -> None:
    """Refuse labels of classes, or numbers of targets, that the task does not have."""
    if targets.is_floating_point():
        if targets.shape[1] != task.outputs:
            raise DataError(
                f"there are {targets.shape[1]} regression targets, but task '{task.name}' has {task.outputs}"
            )
    elif (highest := int(targets.max())) >= task.outputs:
        raise DataError(
            f"labels go up to {highest}, but those of task '{task.name}' are 0 to {task.outputs - 1}: number classes"
            " within the task; where some have no training examples, name all when it is learned (classes=...)"
        )


def _merit(learner: Answering, outputs: Tensor, targets: Tensor) -> float:
    """Summed over inputs, in double precision: an exact count where it counts."""
    return float(learner.criterion.merit(outputs, targets).double().sum())
