"""A task: training examples that a learner learns in one go, with test and validation examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from hypermnesia.criteria import LabelKind
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import may_be, show_shape
from hypermnesia.tasks.dataset_examples import DatasetExamples
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.experiences import ExperienceDataset, is_experience
from hypermnesia.tasks.identity import Identity
from hypermnesia.tasks.loader_examples import LoaderExamples
from hypermnesia.tasks.stream_examples import StreamExamples
from hypermnesia.tasks.structured_kind import Kind, kind_of
from hypermnesia.tasks.tensor_examples import TensorExamples

Source: TypeAlias = Any
"""Sources of examples: a pair (inputs, labels) of tensors, NumPy arrays or nested lists; a list or dataset of examples;
or a data loader of one. `Task.of` says more."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One task of a sequence: classes to tell apart, or regression targets to predict.

    The labels of classes are 0 to k-1, whatever they are called outside.

    Args:
        name: Name of the task, in tables and errors.
        train: Training examples.
        test: Examples on which the result is measured, if any.
        validation: Examples by which settings are chosen, if any.
        classes: Names of the classes, in the order of their labels; None where they have none.

    Raises:
        DataError: The splits do not fit together, or there are fewer names than classes.

    Example:
        >>> Task.of(([[0.0, 0.2], [0.9, 1.0]], [0, 1]), name="coin", classes=("heads", "tails")).num_outputs
        2
    """

    name: str
    train: Examples
    test: Examples | None = None
    validation: Examples | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.classes is not None and self.labels == "numbers":
            raise DataError(f"Task {self.name!r}: its labels are regression targets, so it has no classes to name.")
        for split, examples in (("train", self.train), ("test", self.test), ("validation", self.validation)):
            if examples is None:
                continue
            if examples.labels != self.labels:
                raise DataError(
                    f"Task {self.name!r}: {split} labels are {examples.labels}, training labels {self.labels}: give"
                    " integers in both for classes, floating-point numbers in both for regression."
                )
            if not self._may_be_beside(examples):
                raise DataError(
                    f"Task {self.name!r}: {split} inputs have shape {show_shape(examples.input_shape)}, training inputs"
                    f" {show_shape(self.train.input_shape)}; they must be equal."
                )
            kind_of(self.train.input_type).check(examples.input_type, f"{split} inputs of task '{self.name}'")
            if len(examples.label_shape) != len(self.train.label_shape):
                raise DataError(
                    f"Task {self.name!r}: {split} labels have shape [n{_sizes(examples.label_shape)}], training labels"
                    f" [n{_sizes(self.train.label_shape)}]; they must have as many dimensions."
                )
            self._check_targets(split, examples)
            highest = (examples.num_outputs or 0) - 1
            if self.classes is not None and highest >= len(self.classes):
                raise DataError(
                    f"Task {self.name!r}: {split} labels go up to {highest}, but it has {len(self.classes)} classes, "
                    f"0 to {len(self.classes) - 1}."
                )

    def _may_be_beside(self, examples: Examples) -> bool:
        """Whether the inputs of a split have the shape of training inputs; those not in memory may be longer."""
        shapes = examples.input_shape, self.train.input_shape
        in_memory = isinstance(examples, TensorExamples) and isinstance(self.train, TensorExamples)
        return shapes[0] == shapes[1] or (not in_memory and may_be(*shapes))

    def _check_targets(self, split: str, examples: Examples) -> None:
        """Refuse a split with labels that the training examples have not, as far as that is known without reading."""
        learned, asked = self.train.num_outputs, examples.num_outputs
        if self.classes is not None or learned is None or asked is None:
            return
        if self.labels == "numbers" and asked != learned:
            raise DataError(
                f"Task {self.name!r}: {split} examples have {asked} regression targets, training examples {learned};"
                " they must be equal."
            )
        if asked > learned:
            raise DataError(
                f"Task {self.name!r}: {split} labels go up to {asked - 1}, but training labels to {learned - 1}: give"
                " the names of all classes (classes=...) where some have no training examples."
            )

    def prepared(self, kind: Kind) -> Task:
        """Return the same task, whose inputs go into a network as those that were learned first.

        Args:
            kind: Kind of what was learned first.

        Raises:
            DataError: Inputs are of a type that cannot mean the same.
        """
        what = f"inputs of task '{self.name}'"
        splits = {name: getattr(self, name) for name in ("train", "test", "validation")}
        return dataclasses.replace(
            self, **{name: split.prepared(kind, what) for name, split in splits.items() if split is not None}
        )

    @property
    def labels(self) -> LabelKind:
        """Kind of its labels: `classes` (integers), or `numbers` to be predicted (floating-point)."""
        return self.train.labels

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of the label of one input; `()` for a class."""
        return self.train.label_shape

    @property
    def num_outputs(self) -> int | None:
        """Number of classes, or of regression targets an input; None where only reading them all would tell.

        Classes without names are counted by the largest training label.
        """
        return self.train.num_outputs if self.classes is None else len(self.classes)

    def identity(self) -> Identity:
        """Return what tells this task's training from that of others: its name, its classes, its examples.

        Data in memory are read once, at the speed of memory.
        """
        classes = None if self.classes is None else list(self.classes)
        return {"name": self.name, "names of classes": classes, **self.train.identity()}

    @classmethod
    def of(
        cls,
        source: Task | Source,
        *,
        test: Source | None = None,
        validation: Source | None = None,
        name: str = "task",
        classes: Sequence[str] | None = None,
    ) -> Task:
        """Make a task of whatever holds the examples.

        Args:
            source: Training examples: a tuple (inputs, labels) of tensors, NumPy arrays or nested lists, where inputs
                may be a dictionary or tuple of these, or graphs; a list or a dataset, of PyTorch or of Hugging Face, of
                pairs (input, label), of dictionaries with a label, or of graphs; a `DataLoader` of one; an experience
                of Avalanche. Integer labels are classes, floating-point ones regression targets. A `Task` is returned
                as it is.
            test: Test examples, of any of these kinds.
            validation: Examples to choose settings by, of any of these kinds.
            name: Name of the task, in tables and errors.
            classes: Names of the classes, in the order of their labels; None where they have none.

        Raises:
            DataError: The examples are empty, of an unsupported kind, or do not fit together.
            ConfigurationError: A `Task` was given together with further splits or names of classes.

        Example:
            >>> import numpy as np
            >>> Task.of((np.zeros((4, 2)), np.array([0, 1, 0, 1])), classes=("cat", "dog")).classes
            ('cat', 'dog')
        """
        if isinstance(source, Task):
            if test is not None or validation is not None or classes is not None:
                raise ConfigurationError(
                    "A Task has its splits and classes already; exchange them by dataclasses.replace(task, test=...)."
                )
            return source
        if classes is None and is_experience(source):
            classes = ExperienceDataset(source).classes
        return cls(
            name=name,
            train=_examples(source),
            test=None if test is None else _examples(test),
            validation=None if validation is None else _examples(validation),
            classes=None if classes is None else tuple(classes),
        )


def _sizes(shape: tuple[int, ...]) -> str:
    return "".join(f", {size}" for size in shape)


def _examples(source: Source) -> Examples:
    match source:
        case Examples():
            return source
        case DataLoader(dataset=IterableDataset()) | IterableDataset():
            return StreamExamples(source)
        case DataLoader():
            return LoaderExamples(source)
        case TensorDataset(tensors=(inputs, labels)) | tuple((inputs, labels)):
            return TensorExamples(inputs, labels)
        case _ if is_experience(source):
            return DatasetExamples(ExperienceDataset(source))
        case tuple() | str() | Mapping() | Tensor() | np.ndarray():
            pass
        case _ if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
            return DatasetExamples(source)
    kind = f"{type(source).__name__} of {len(source)}" if isinstance(source, tuple) else type(source).__name__
    raise DataError(
        f"A task cannot be made of a {kind}. It takes a tuple (inputs, labels) of tensors, NumPy arrays or lists, a"
        " list or dataset of examples, or a DataLoader of one."
    )
