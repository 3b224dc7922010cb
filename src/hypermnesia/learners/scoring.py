"""Test score of a learner in each scenario, and the tasks that it infers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hypermnesia.criteria import LOSS, Criterion, CrossEntropy, Custom, LabelKind
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import numbers_in
from hypermnesia.learners.prediction import LearnedTask, Prediction
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
        value: Metric over all examples, by scenario, such as accuracy from 0 to 1, or the mean squared error.
        inferred: Number of inputs taken to belong to each task; None where the learner was told, or infers none.
    """

    value: dict[Scenario, float]
    inferred: list[int] | None


def score(learner: Answering, examples: Examples, task: int, scenarios: Sequence[Scenario] = ("task",)) -> Score:
    """Score a learner on all examples of a task.

    In the task-incremental scenario it is told the task. In the others it is not: then its label counts in the
    domain-incremental scenario, label and inferred task together in the class-incremental one, where outputs and labels
    are those among the classes of all tasks.

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
    learned = learner.kind_of_labels
    assert learned is not None
    if (examples.labels, len(examples.label_shape)) != learned:
        raise DataError(
            f"labels of these examples are {_told(examples.labels, len(examples.label_shape))}, but what was learned"
            f" are {_told(*learned)}: integer labels are classes, floating-point labels are regression targets"
        )
    assert learner.input_kind is not None
    examples = examples.prepared(learner.input_kind)
    criterion, measure = learner.criterion, learner.measure
    going_on = {scenario: measure.begin(criterion) for scenario in scenarios}
    counts: Tensor | None = None
    known = learner.num_tasks + (learner.in_progress is not None)
    batch_size = max(1, min(_MOST_INPUTS, _MOST_NUMBERS // max(1, numbers_in(examples.input_shape))))
    for inputs, targets in examples.in_order(batch_size):
        targets = targets.to(learner.device)
        if "task" in going_on:
            answer = learner.predict(inputs, task)
            _check_targets(targets, answer.tasks[task], criterion)
            going_on["task"].add(_told_apart(answer), targets)
        if going_on.keys() == {"task"}:
            continue
        prediction = learner.predict(inputs)
        _check_targets(targets, prediction.tasks[task], criterion)
        if "domain" in going_on:
            going_on["domain"].add(_told_apart(prediction), targets)
        if prediction.task is not None:
            found = torch.bincount(prediction.task, minlength=known)
            counts = found if counts is None else counts + found
            if "class" in going_on:
                first = sum(each.outputs for each in prediction.tasks[:task])
                among = _logits_among_all if measure.metric == LOSS else _among_all
                going_on["class"].add(among(prediction), targets, first)
    value = {scenario: measurement.value() for scenario, measurement in going_on.items()}
    return Score(value, None if counts is None else counts.tolist())


def _told(labels: LabelKind, dimensions: int) -> str:
    return f"{labels} of shape [n{', …' * dimensions}]"


def _told_apart(prediction: Prediction) -> Tensor:
    """Outputs that an answer is chosen from: of classes, those that the task has."""
    return prediction.logits if isinstance(prediction.criterion, CrossEntropy) else prediction.outputs


def _among_all(prediction: Prediction) -> Tensor:
    """Outputs `[inputs, classes of all tasks]`: those of each input at the classes of its task, others impossible."""
    return _placed(prediction, prediction.outputs, prediction.outputs.new_full((len(prediction.outputs),), -torch.inf))


def _logits_among_all(prediction: Prediction) -> Tensor:
    """Logits `[inputs, classes of all tasks]`, of which the loss is a finite number.

    Where no head has them, as each task has outputs of its own, they are logarithms of probabilities: that of its task
    is the certainty, and what remains of 1 is spread over the classes of others.
    """
    if prediction.logits_of_all is not None:
        return prediction.logits_of_all
    assert prediction.task is not None
    assert prediction.certainty is not None
    outputs = prediction.logits
    counts = torch.tensor([each.outputs for each in prediction.tasks], device=outputs.device)
    others = counts.sum() - counts[prediction.task]
    # Nobody is so certain that it would cost infinitely much to be wrong.
    least = torch.finfo(outputs.dtype).eps
    unsure = (1 - prediction.certainty.to(outputs.dtype)).clamp(least, 1 - least)
    own = outputs.log_softmax(1) + torch.log1p(-unsure)[:, None]
    return _placed(prediction, own, (unsure / others.clamp_min(1)).log())


def _placed(prediction: Prediction, outputs: Tensor, others: Tensor) -> Tensor:
    """Outputs of each input at the classes of its task, among those of all, where the rest has one value an input."""
    tasks = prediction.task
    assert tasks is not None
    counts = torch.tensor([each.outputs for each in prediction.tasks], device=tasks.device)
    starts = counts.cumsum(0) - counts
    total = int(counts.sum())
    places = torch.arange(outputs.shape[1], device=tasks.device)
    # What a task does not have goes to a column behind all.
    columns = torch.where(places < counts[tasks][:, None], starts[tasks][:, None] + places, total)
    among = others[:, None].repeat(1, total + 1)
    return among.scatter_(1, columns, outputs)[:, :total]


def _check_targets(targets: Tensor, task: LearnedTask, criterion: Criterion) -> None:
    """Refuse labels of classes, or numbers of targets, that the task does not have."""
    if isinstance(criterion, CrossEntropy):
        counted = torch.where(targets == criterion.ignore_index, 0, targets)
        low, highest = (int(bound) for bound in torch.aminmax(counted))
        if highest >= task.outputs or low < 0:
            raise DataError(
                f"labels go {f'up to {highest}' if low >= 0 else f'down to {low}'}, but those of task '{task.name}' are"
                f" 0 to {task.outputs - 1}: number classes within the task; where some have no training examples, name"
                " all when it is learned (classes=...)"
            )
    elif not isinstance(criterion, Custom) and targets.ndim > 1 and targets.shape[1] != task.outputs:
        what = "regression targets" if targets.is_floating_point() else "labels an input"
        raise DataError(f"there are {targets.shape[1]} {what}, but task '{task.name}' has {task.outputs}")
