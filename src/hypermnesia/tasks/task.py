"""A task: what a learner learns in one go, and on what it is then measured."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.problems import Problem
from hypermnesia.tasks.examples import DatasetExamples, Examples, LoaderExamples, TensorExamples

Source: TypeAlias = Examples | Dataset[Any] | DataLoader[Any] | tuple[Tensor, Tensor]
"""What examples can be made of."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One problem of a sequence: telling classes apart, or predicting numbers.

    The labels of classes are 0 to k-1, whatever they are called outside.

    Args:
        name: For people.
        train: What is learned from.
        test: What the result is measured on, if anything.
        validation: What settings are chosen by, if anything.
        classes: The names of the labels, in order; None where they have none.

    Raises:
        DataError: The splits do not fit together.

    Example:
        >>> import torch
        >>> Task.of((torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])), name="coin").num_outputs
        2
    """

    name: str
    train: Examples
    test: Examples | None = None
    validation: Examples | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for split, examples in (("test", self.test), ("validation", self.validation)):
            if examples is not None and examples.problem is not self.train.problem:
                raise DataError(
                    f"Task {self.name!r}: {split} labels are for {examples.problem.name}, training labels for "
                    f"{self.train.problem.name}: give integers in both for classes, floating-point numbers for numbers."
                )
            if examples is not None and examples.input_shape != self.train.input_shape:
                raise DataError(
                    f"Task {self.name!r}: {split} inputs have shape {examples.input_shape}, training inputs "
                    f"{self.train.input_shape}; they must be equal."
                )
        if self.classes is None:
            return
        allowed = len(self.classes)
        for split, examples in (("train", self.train), ("test", self.test), ("validation", self.validation)):
            if examples is not None and examples.num_outputs is not None and examples.num_outputs > allowed:
                raise DataError(
                    f"Task {self.name!r}: {split} labels go up to {examples.num_outputs - 1}, but it has "
                    f"{allowed} classes, 0 to {allowed - 1}."
                )

    @property
    def problem(self) -> Problem:
        """What is asked: a class or numbers."""
        return self.train.problem

    @property
    def num_outputs(self) -> int | None:
        """Classes, or numbers of a target; None where only reading all labels would tell.

        Classes without names are counted by the largest training label.
        """
        return self.train.num_outputs if self.classes is None else len(self.classes)

    def count_outputs(self) -> int:
        """Like :attr:`num_outputs`, but reads all training labels where that is the only way to know."""
        if self.num_outputs is not None:
            return self.num_outputs
        return 1 + max(int(labels.max()) for _, labels in self.train.in_order(1000))

    @classmethod
    def of(
        cls,
        source: Task | Source,
        *,
        test: Source | None = None,
        validation: Source | None = None,
        name: str = "task",
    ) -> Task:
        """A task made of whatever holds the examples.

        Args:
            source: Training examples: a tuple of an input and a label tensor, a map-style `Dataset` of
                (input, label) pairs, or a `DataLoader` of one. Integer labels are classes, floating-point ones numbers
                to be predicted. A `Task` is returned as it is.
            test: Likewise, to measure on.
            validation: Likewise, to choose settings by.
            name: For people.

        Raises:
            DataError: The examples are empty, of an unsupported kind, or do not fit together.
            ConfigurationError: A `Task` was given together with further splits.
        """
        if isinstance(source, Task):
            if test is not None or validation is not None:
                raise ConfigurationError(
                    "A Task has its splits already; use dataclasses.replace(task, test=...) to exchange them."
                )
            return source
        return cls(
            name=name,
            train=_examples(source),
            test=None if test is None else _examples(test),
            validation=None if validation is None else _examples(validation),
        )


def _examples(source: Source) -> Examples:
    match source:
        case Examples():
            return source
        case DataLoader():
            return LoaderExamples(source)
        case TensorDataset(tensors=(inputs, labels)) | (Tensor() as inputs, Tensor() as labels):
            return TensorExamples(inputs, labels)
        case IterableDataset():
            raise DataError(
                "A task cannot be made of an IterableDataset: its examples can be neither counted nor "
                "shuffled reproducibly. Give a map-style dataset (with __len__ and __getitem__)."
            )
        case Dataset() if hasattr(source, "__len__"):
            return DatasetExamples(source)
    kind = f"{type(source).__name__} of {len(source)}" if isinstance(source, tuple) else type(source).__name__
    raise DataError(
        f"A task cannot be made of a {kind}. It takes a tuple (inputs, labels) of two tensors, a map-style "
        "torch.utils.data.Dataset of (input, label) pairs, or a DataLoader of one."
    )
