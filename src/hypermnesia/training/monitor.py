"""What a learner tells after every step, and what it may be told then."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from hypermnesia.errors import ConfigurationError, shown


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of learning one task, after a step.

    Attributes:
        iteration: Number of steps done.
        iterations: Number of steps of the whole task.
        scalars: Zero-dimensional detached tensors of the step, by name: `loss`, `accuracy` of the batch, and others
            of the learner. Take `float()` of them now and then only: it waits for the device.
    """

    iteration: int
    iterations: int
    scalars: dict[str, Tensor]


Monitor = Callable[[Progress], bool | None]
"""Function called after every step.

To end the task, which then counts as learned with what it has learned, it returns True; None and False go on. Where
several ranks learn together, one of them suffices.

To stop on purpose it raises :class:`hypermnesia.errors.StopLearning`: the learner can then be saved and go on later.
Any other exception undoes the task."""


def ends(answer: object) -> bool:
    """Return whether a monitor's answer ends the task.

    Raises:
        ConfigurationError: It is neither true nor false, nor nothing.

    Example:
        >>> ends(None), ends(True)
        (False, True)
    """
    if answer is None or isinstance(answer, bool):
        return bool(answer)
    if getattr(answer, "dtype", None) in (torch.bool, bool):  # of torch or NumPy, as a comparison gives it
        return bool(answer)
    raise ConfigurationError(
        f"a monitor returns True to end the task, and nothing, or False, to go on, but it returned {shown(answer)}"
    )
