"""What imitates the inputs of past tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia.training.trainer import Objective


class ReplayModel(ABC):
    """Makes inputs of past tasks out of noise, and learns to do so for one more task after another.

    Attributes:
        input_shape: Of one input; its numbers are taken to lie in [0, 1].
        tells_tasks_apart: Whether inputs of the task asked for come, or of any past task.
    """

    input_shape: tuple[int, ...]
    tells_tasks_apart = True

    @property
    @abstractmethod
    def num_tasks(self) -> int:
        """Tasks it can replay."""

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """Numbers trained and kept."""

    @abstractmethod
    def begin_task(self, classes: int = 1) -> None:
        """Make room for one more task, of so many classes."""

    @abstractmethod
    def objective(self) -> Objective:
        """What to optimize for the task that was begun."""

    @abstractmethod
    def end_task(self) -> None:
        """Keep what was learned."""

    @abstractmethod
    def abandon_task(self) -> None:
        """Go back to before the task was begun."""

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

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts and lists of tensors and plain values."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
