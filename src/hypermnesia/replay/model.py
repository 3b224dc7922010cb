"""Generative models that imitate the inputs of past tasks."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part


class ReplayModel(Part):
    """Makes inputs of past tasks out of noise, and learns to do so for one more task after another.

    Attributes:
        input_shape: Shape of one input.
        tells_tasks_apart: Whether inputs of the task asked for come, or of any past task.
    """

    input_shape: tuple[int, ...]
    tells_tasks_apart = True

    @property
    @abstractmethod
    def num_tasks(self) -> int:
        """Tasks learned completely, forgotten ones included."""

    @property
    def past(self) -> list[int]:
        """Numbers of the tasks it can replay, without the one that is being learned."""
        return list(range(self.num_tasks))

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
