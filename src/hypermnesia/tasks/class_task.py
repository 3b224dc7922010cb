"""A task that tells apart some of the classes of labeled data."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from hypermnesia.data import LabeledData
from hypermnesia.errors import DataError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.fewer_examples import choose_few
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples
from hypermnesia.tasks.validation_split import set_aside

_LONGEST_NAME = 40


def task_of_classes(
    data: LabeledData,
    classes: Int64[Tensor, " classes"],
    number: int,
    *,
    name: str | None = None,
    of_task: tuple[Bool[Tensor, " n"], Bool[Tensor, " m"]] | None = None,
    validation: int | float,
    examples: int | float | None,
    seeds: Seeds,
) -> Task:
    """Make a task of the examples of some classes.

    Args:
        data: All examples.
        classes: Labels of the classes, in the order that they have in the task.
        number: Number of the task, from which chance follows.
        name: Name of the task; None for that of the data with those of the classes.
        of_task: Which training and which test examples may be of the task; None for all.
        validation: Training examples to set aside, a number or a fraction.
        examples: Training examples to learn from, a number or a fraction; None for all.
        seeds: Root of all chance in here.

    Raises:
        ConfigurationError: There are not enough examples to set aside or to choose.
        DataError: The task has no training or no test examples.
    """
    names = tuple(data.class_names[label] for label in classes.tolist())
    classes = classes.to(data.train_labels.device)

    def of_train(rows: Tensor) -> TensorExamples:
        return TensorExamples(data.train_inputs, data.train_labels, rows=rows, classes=classes)

    chosen = [torch.isin(labels, classes) for labels in (data.train_labels, data.test_labels)]
    if of_task is not None:
        chosen = [one & other for one, other in zip(chosen, of_task, strict=True)]
    train, test = (each.nonzero()[:, 0] for each in chosen)
    name = name or f"{data.name} {_short(names)}"
    if not len(train) or not len(test):
        raise DataError(
            f"Task {name!r}: there are {len(train)} training and {len(test)} test examples of its classes; it needs"
            " some of each."
        )
    shares = data.train_labels[train] if data.keeps_shares else None
    train, held_out = set_aside(train, validation, seeds.child("validation", number), shares)
    few = choose_few(data.train_labels[train], examples, seeds.child("examples", number), name)
    return Task(
        name=name,
        train=of_train(train if few is None else train[few]),
        test=TensorExamples(data.test_inputs, data.test_labels, rows=test, classes=classes),
        validation=None if held_out is None else of_train(held_out),
        classes=names,
    )


def _short(names: tuple[str, ...]) -> str:
    """The names of a task's classes, or the first and the last where all would fill a line."""
    text = "/".join(names)
    return text if len(text) <= _LONGEST_NAME else f"{names[0]}/…/{names[-1]}"
