"""Labeled examples in memory, whatever their inputs are: what split tasks are made of."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from hypermnesia.data.images import ImageDataset
from hypermnesia.data.shares import share_for_testing
from hypermnesia.errors import DataError, shown

_LONGEST_NAME = 80


@dataclasses.dataclass(frozen=True, eq=False)
class LabeledData:
    """Training and test examples of one classification problem, as somebody's own files hold them.

    Args:
        name: Name of the data, in names of tasks.
        train_inputs: Training inputs `[n, ...]`; uint8 are gray levels.
        train_labels: Labels of the training inputs `[n]`, each the index of a name in `class_names`.
        test_inputs: Test inputs `[m, ...]`, of the same shape and type.
        test_labels: Labels of the test inputs `[m]`.
        class_names: Names of the classes, in the order of their labels.
        task_names: Names of the tasks that the data are divided into; empty where they are not.
        train_tasks: Task of each training input `[n]`, the index of a name in `task_names`; None where there are none.
        test_tasks: Task of each test input `[m]`.
        keeps_shares: Whether every class gives its share where examples are set aside for validation. Published results
            were made without.

    Raises:
        DataError: Training and test inputs differ in shape or type, or a name cannot be written.

    Example:
        >>> data = LabeledData.divided("coins", torch.rand(10, 2), torch.arange(10) % 2, ("heads", "tails"), test=0.2)
        >>> len(data.train_inputs), data.test_labels.tolist()
        (8, [1, 0])
    """

    name: str
    train_inputs: Shaped[Tensor, "n ..."]
    train_labels: Int64[Tensor, " n"]
    test_inputs: Shaped[Tensor, "m ..."]
    test_labels: Int64[Tensor, " m"]
    class_names: tuple[str, ...]
    task_names: tuple[str, ...] = ()
    train_tasks: Int64[Tensor, " n"] | None = None
    test_tasks: Int64[Tensor, " m"] | None = None
    keeps_shares: bool = True

    def __post_init__(self) -> None:
        kinds = [
            f"{list(inputs.shape[1:])} of {str(inputs.dtype).removeprefix('torch.')}"
            for inputs in (self.train_inputs, self.test_inputs)
        ]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"{self.name}: training inputs have shape {kinds[0]}, test inputs {kinds[1]}; they must be alike."
            )
        for name in (*self.class_names, *self.task_names):
            if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
                raise DataError(
                    f"{self.name}: {shown(name)} can be no name: it must be of printable characters, up to"
                    f" {_LONGEST_NAME}; call it otherwise."
                )

    @classmethod
    def divided(
        cls,
        name: str,
        inputs: Shaped[Tensor, "n ..."],
        labels: Int64[Tensor, " n"],
        class_names: tuple[str, ...],
        *,
        test: float,
        task_names: tuple[str, ...] = (),
        tasks: Int64[Tensor, " n"] | None = None,
    ) -> LabeledData:
        """Divide examples into those for training and those for testing, the same ones each time.

        Every class of every task gives the same share, at least one example if it has two, and keeps at least one.

        Args:
            name: Name of the data.
            inputs: All inputs.
            labels: Their labels.
            class_names: Names of the classes.
            test: Share of the test examples, between 0 and 1.
            task_names: Names of the tasks, if any.
            tasks: Task of each input, if there are tasks.
        """
        groups = labels if tasks is None else tasks * len(class_names) + labels
        of_test = share_for_testing(groups, test)
        return cls(
            name,
            *(inputs[~of_test], labels[~of_test], inputs[of_test], labels[of_test]),
            class_names,
            task_names,
            *((None, None) if tasks is None else (tasks[~of_test], tasks[of_test])),
        )

    @classmethod
    def of_images(cls, images: ImageDataset) -> LabeledData:
        """The same images as labeled data."""
        return cls(
            images.name,
            *(images.train_images, images.train_labels, images.test_images, images.test_labels),
            images.class_names,
            keeps_shares=False,
        )

    def as_images(self) -> ImageDataset:
        """The same data as images.

        Raises:
            DataError: They are none.
        """
        return ImageDataset(
            self.name,
            *(self.train_inputs, self.train_labels, self.test_inputs, self.test_labels),
            self.class_names,
        )

    @property
    def num_classes(self) -> int:
        """Number of classes, whether or not each has examples."""
        return len(self.class_names)

    def to(self, device: torch.device | str) -> LabeledData:
        """Return the same examples on `device`; tasks made of them stay there."""
        tensors: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return dataclasses.replace(self, **tensors)
