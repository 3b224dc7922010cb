"""Progress of training, as reported to a monitor after every step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor


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


Monitor = Callable[[Progress], None]
"""Function called after every step. It may raise to stop the loop; the learner can then be saved and go on later."""
