"""How often a learner is right, in each scenario, and which tasks it takes inputs for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners.base import ContinualLearner
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.scenario import Scenario

# Inputs asked at a time: so many that the networks of all tasks are generated once for a test set of usual size.
_MOST_INPUTS, _MOST_NUMBERS = 10_000, 2**25


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What asking a learner about the examples of one task showed.

    Attributes:
        accuracy: The fraction answered correctly, from 0 to 1, by scenario.
        inferred: How many inputs were taken to belong to each task; None where the learner was told, or infers none.
    """

    accuracy: dict[Scenario, float]
    inferred: list[int] | None


def measure(
    learner: ContinualLearner, examples: Examples, task: int, scenarios: Sequence[Scenario] = ("task",)
) -> Measurement:
    """Ask a learner about all examples of a task.

    In the task-incremental scenario it is told the task. In the others it is not: then its label counts in the
    domain-incremental scenario, label and inferred task together in the class-incremental one.

    Args:
        learner: Any learner that has seen the task.
        examples: What to ask.
        task: The task's number, in the order of learning.
        scenarios: Which to ask in.

    Raises:
        ConfigurationError: The learner does not answer in one of them.
    """
    if strangers := [scenario for scenario in scenarios if scenario not in learner.scenarios]:
        raise ConfigurationError(
            f"this learner does not answer in the {strangers[0]}-incremental scenario, only in: "
            f"{', '.join(learner.scenarios)}"
        )
    correct: dict[Scenario, int] = dict.fromkeys(scenarios, 0)
    counts: Tensor | None = None
    known = learner.num_tasks + (learner.in_progress is not None)
    batch_size = max(1, min(_MOST_INPUTS, _MOST_NUMBERS // math.prod(examples.input_shape)))
    for inputs, labels in examples.in_order(batch_size):
        labels = labels.to(learner.device)
        if "task" in correct:
            correct["task"] += int((learner.predict(inputs, task).labels == labels).sum())
        if correct.keys() == {"task"}:
            continue
        prediction = learner.predict(inputs)
        right = prediction.labels == labels
        if "domain" in correct:
            correct["domain"] += int(right.sum())
        if prediction.task is not None:
            found = torch.bincount(prediction.task, minlength=known)
            counts = found if counts is None else counts + found
            if "class" in correct:
                correct["class"] += int((right & (prediction.task == task)).sum())
    accuracy = {scenario: number / len(examples) for scenario, number in correct.items()}
    return Measurement(accuracy, None if counts is None else counts.tolist())
