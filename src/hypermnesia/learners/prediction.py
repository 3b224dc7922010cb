"""Answers of a learner, and the tasks they refer to."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia.arguments import whole_number
from hypermnesia.criteria import USUAL, BinaryCrossEntropy, Criterion, CrossEntropy, Custom, MeanSquaredError
from hypermnesia.errors import CheckpointError, ConfigurationError, shown


@dataclasses.dataclass(frozen=True)
class LearnedTask:
    """Name of a task and of its classes, as kept by a learner.

    Args:
        name: Name of the task.
        outputs: Number of its classes, or of its regression targets.
        classes: Names of its classes, in the order of the labels; None where they have none.
        forgotten: Whether it was forgotten since: its number stays, but nobody can ask for it.
    """

    name: str
    outputs: int
    classes: tuple[str, ...] | None = None
    forgotten: bool = False

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> LearnedTask:
        """The task that `dataclasses.asdict` made JSON values of.

        Raises:
            CheckpointError: These are others.
        """
        name, classes = state["name"], state["classes"]
        outputs = whole_number(state["outputs"], "outputs", 1)
        texts = [name, *(classes or ())]
        if not all(isinstance(text, str) for text in texts) or len(classes or ()) not in (0, outputs):
            raise CheckpointError(f"{shown(state)} is no learned task")
        return cls(name, outputs, None if classes is None else tuple(classes), bool(state["forgotten"]))


class Prediction:
    """Answer of a learner for a batch of inputs.

    Args:
        outputs: Output of the network used for each input: logits of the classes of a task, or predicted values,
            `[inputs, outputs]`, or `[inputs, outputs, ...]` where elements of inputs have some.
        task: Task used for each input, `[inputs]`, or the number of one used for all.
        certainty: Certainty of these tasks, `[inputs]`; None where they were given.
        criterion: What was learned by.
        tasks: Tasks that the learner knows, in the order of learning.
        logits_of_all: Logits of the classes of all tasks, `[inputs, classes]`, where one head has them; else None.

    Attributes:
        outputs: As given; so are `criterion`, `tasks` and `logits_of_all`.

    Example:
        >>> prediction = Prediction(torch.tensor([[0.0, 2.0]]), 3)
        >>> prediction.labels, prediction.task, prediction.certainty
        (tensor([1]), tensor([3]), tensor([1.]))
    """

    def __init__(
        self,
        outputs: Float[Tensor, "inputs outputs *elements"],
        task: Int64[Tensor, " inputs"] | int | None = None,
        certainty: Float[Tensor, " inputs"] | None = None,
        criterion: Criterion = USUAL["classes"],
        tasks: Sequence[LearnedTask] = (),
        logits_of_all: Float[Tensor, "inputs classes"] | None = None,
    ) -> None:
        self.outputs, self.criterion, self.tasks, self.logits_of_all = outputs, criterion, tasks, logits_of_all
        self._task, self._certainty = task, certainty

    def __repr__(self) -> str:
        return f"Prediction(outputs={self.outputs}, task={self.task}, certainty={self.certainty})"

    # Tensors that are made when somebody asks: for a single input they take as long as a small network's answer.
    @functools.cached_property
    def task(self) -> Int64[Tensor, " inputs"] | None:
        """Task used for each input, given or inferred; None where the learner answers without one.

        Task and label together name a class among all classes.
        """
        if isinstance(self._task, int):
            return torch.full((len(self.outputs),), self._task, device=self.outputs.device)
        return self._task

    @functools.cached_property
    def certainty(self) -> Float[Tensor, " inputs"] | None:
        """Certainty of that task, from 0 to 1; 1 where it was given, None where the learner answers without one."""
        if self._certainty is None and self._task is not None:
            return torch.ones(len(self.outputs), device=self.outputs.device)
        return self._certainty

    @property
    def labels(self) -> Int64[Tensor, "inputs *label"]:
        """Likeliest class of each input, or of each of its elements, counted within its task.

        Where an input has several labels, a 1 for each that is likelier to hold than not: `[inputs, labels]`.

        Raises:
            ConfigurationError: A regression was learned.
        """
        if isinstance(self.criterion, BinaryCrossEntropy):
            return (self.outputs > 0).long()
        return self.logits.argmax(1)

    @property
    def logits(self) -> Float[Tensor, "inputs classes *elements"]:
        """Outputs of the classes that the task has; a network may have more, for tasks of more classes.

        Where inputs are of several tasks, those that the task of an input does not have are minus infinity.

        Raises:
            ConfigurationError: A regression was learned.

        Example:
            >>> tasks = (LearnedTask("coins", 2), LearnedTask("dice", 6))
            >>> Prediction(torch.zeros(1, 6), 0, tasks=tasks).logits
            tensor([[0., 0.]])
        """
        outputs = self._of(CrossEntropy)
        if isinstance(self.criterion, Custom) or self._task is None or not self.tasks:
            return outputs
        if isinstance(self._task, int):
            return outputs[:, : self.tasks[self._task].outputs]
        counts = torch.tensor([each.outputs for each in self.tasks], device=outputs.device)[self._task]
        absent = torch.arange(outputs.shape[1], device=outputs.device) >= counts[:, None]
        return outputs.masked_fill(absent.view(*absent.shape, *[1] * (outputs.ndim - 2)), -torch.inf)

    @property
    def probabilities(self) -> Float[Tensor, "inputs classes *elements"]:
        """Probability of each class of the task; of each label, where an input has several.

        Raises:
            ConfigurationError: A regression was learned.
        """
        if isinstance(self.criterion, BinaryCrossEntropy):
            return self.outputs.sigmoid()
        return self.logits.softmax(1)

    @property
    def classes(self) -> Int64[Tensor, " inputs"]:
        """Likeliest class of each input, counted among the classes of all tasks in the order of learning.

        Raises:
            ConfigurationError: A regression was learned, or the learner answers without a task.

        Example:
            >>> tasks = (LearnedTask("coins", 2), LearnedTask("dice", 6))
            >>> Prediction(torch.tensor([[0.0, 2.0]]), torch.tensor([1]), None, tasks=tasks).classes
            tensor([3])
        """
        labels = self._one_label_each()
        counts = torch.tensor([each.outputs for each in self.tasks], device=labels.device)
        return (counts.cumsum(0) - counts)[self._tasks()] + labels

    @property
    def names(self) -> list[str]:
        """Name of the likeliest class of each input.

        Raises:
            ConfigurationError: A regression was learned, the learner answers without a task, or the classes of a
                task have no names.
        """
        used = self._tasks().tolist()
        if nameless := sorted({self.tasks[task].name for task in used if self.tasks[task].classes is None}):
            raise ConfigurationError(
                f"classes of task '{nameless[0]}' have no names: give them when it is learned, as in"
                " Task.of(source, classes=('cat', 'dog'))"
            )
        return [
            (self.tasks[task].classes or ())[label]
            for task, label in zip(used, self._one_label_each().tolist(), strict=True)
        ]

    @property
    def values(self) -> Float[Tensor, "inputs targets *elements"]:
        """Predicted values of the regression targets.

        Raises:
            ConfigurationError: Classes were learned.
        """
        return self._of(MeanSquaredError)

    def _of(self, kind: type[Criterion]) -> Tensor:
        if not isinstance(self.criterion, (kind, Custom)):  # a loss of the user's own may be for either
            raise ConfigurationError(
                "classes were learned, not a regression: ask for prediction.labels or prediction.probabilities"
                if kind is MeanSquaredError
                else "a regression was learned, not classes: ask for prediction.values"
            )
        return self.outputs

    def _one_label_each(self) -> Tensor:
        labels = self.labels
        if labels.ndim > 1:
            raise ConfigurationError(
                f"each input has labels of shape {list(labels.shape[1:])}, so it is of no one class: ask for"
                " prediction.labels"
            )
        return labels

    def _tasks(self) -> Tensor:
        if self.task is None:
            raise ConfigurationError(
                "this learner answers without a task, so a class among those of all tasks is not known: ask for"
                " prediction.labels, which count within a task"
            )
        return self.task
