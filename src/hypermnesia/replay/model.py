"""Generative models that imitate the inputs of past tasks."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.tasks.task import Task
from hypermnesia.training.part import Part
from hypermnesia.training.trainer import Objective


class ReplayModel(Part):
    """Makes inputs of past tasks out of noise, and learns to do so for one more task after another.

    Attributes:
        input_shape: Shape of one input; its numbers are taken to lie in [0, 1].
        tells_tasks_apart: Whether inputs of the task asked for come, or of any past task.
    """

    input_shape: tuple[int, ...]
    tells_tasks_apart = True

    @property
    @abstractmethod
    def num_tasks(self) -> int:
        """Tasks it can replay."""

    @abstractmethod
    def objective(self) -> Objective:
        """Objective of the task that was begun."""

    @abstractmethod
    def latents(self, number: int, generator: torch.Generator) -> Float[Tensor, "number latent"]:
        """Noise to make inputs of, from a CPU generator."""

    @abstractmethod
    def replay(self, task: int, latents: Float[Tensor, "number latent"]) -> Float[Tensor, "number *shape"]:
        """Inputs of a past task; while another one is learned, as they were before it.

        Args:
            task: Its number, below `num_tasks`.
            latents: Noise from N(0, 1), one row for each input.
        """

    def labels(self, task: int, number: int) -> Int64[Tensor, " number"] | None:
        """The classes, within a task, that the rows of a :meth:`replay` of so many are made for; None if for none."""
        return None


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
