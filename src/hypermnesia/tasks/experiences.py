"""Tasks of Avalanche, which calls them experiences."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils.data import Dataset


def is_experience(source: Any) -> bool:
    """Tell whether a source is an experience of a benchmark of classes, as Avalanche has them."""
    # By names, so that the package need not be there.
    return hasattr(source, "dataset") and hasattr(source, "classes_in_this_experience")


class ExperienceDataset(Dataset[tuple[Any, int]]):
    """Examples of an experience, in pairs; its classes are numbered from 0 in the order of their global numbers.

    Args:
        experience: Experience whose dataset has triples of an input, a class and a number of the task.

    Attributes:
        classes: Names of the classes: their global numbers.
    """

    def __init__(self, experience: Any) -> None:
        self._dataset = experience.dataset
        numbers = sorted(int(number) for number in experience.classes_in_this_experience)
        self._label_of = {number: label for label, number in enumerate(numbers)}
        self.classes = tuple(map(str, numbers))

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        inputs, label, *_ = self._dataset[index]
        return inputs, self._label_of[int(label) if isinstance(label, Tensor) else label]
