"""What a training loop tells those who watch it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Progress:
    """The state of learning one task, after a step.

    Attributes:
        iteration: Steps done.
        iterations: Steps of the whole task.
        scalars: Zero-dimensional detached tensors of the step, by name: `loss`, `accuracy` of the batch, and what the
            learner adds. Take `float()` of them now and then only: it waits for the device.
    """

    iteration: int
    iterations: int
    scalars: dict[str, Tensor]


Monitor = Callable[[Progress], None]
"""Called after every step. It may raise to stop the loop; the learner is then in a state that can be saved."""
