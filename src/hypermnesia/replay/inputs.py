"""Check that inputs can be replayed."""

from __future__ import annotations

import torch

from hypermnesia.errors import DataError
from hypermnesia.tasks.task import Task


def check_range(task: Task) -> None:
    """Refuse a task with training inputs outside [0, 1], the range of a replay model's outputs; reads all of them.

    Raises:
        DataError: Some input lies outside; the text says how far.

    Example:
        >>> check_range(Task.of((torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([0]))))
    """
    for inputs, _ in task.train.in_order(1000):
        low, high = (float(bound) for bound in torch.aminmax(inputs))
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"inputs of task '{task.name}' reach from {low:g} to {high:g}, but what is to be replayed must lie"
                " between 0 and 1: scale the inputs of all tasks to that range (uint8 images are scaled by themselves)"
            )
