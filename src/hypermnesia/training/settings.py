"""How a task is optimized: the settings every learner shares."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermnesia.settings import SearchRange, Settings

Decay = Annotated[float, Field(ge=0, lt=1)]
"""What an exponential average keeps of itself at each step."""


class TrainingSettings(Settings):
    """Optimizer, length, batches and numerics of learning one task.

    Example:
        >>> TrainingSettings(iterations=500, learning_rate=1e-3).total_iterations(num_examples=1000)
        500
        >>> TrainingSettings(epochs=2, batch_size=128).total_iterations(num_examples=1000)
        16
    """

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    """Started anew for every task."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(1e-5, 1e-1, log=True)] = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of SGD and RMSprop."""
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Of Adam and AdamW: what their averages of the gradient and of its square keep of themselves at each step."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """Of the learning rate over one task: cosine falls to 0; step multiplies by `step_factor` every `step_size`."""
    step_size: Annotated[int, Field(ge=1)] = 1000
    """Iterations between two falls of the step schedule."""
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    iterations: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps per task; exclusive with `epochs`."""
    epochs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Passes over a task's training examples; exclusive with `iterations`. Neither given: 10 epochs."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """Largest Euclidean norm of the gradient of all parameters together; None leaves gradients as they are."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the target network's forward pass (autocast); weights, their generation and the regularizer stay float32."""
    compile: bool = False
    """Compile the target network's forward pass with torch.compile (needs a C++ compiler on the CPU)."""

    @model_validator(mode="after")
    def _one_length(self) -> TrainingSettings:
        if self.iterations is not None and self.epochs is not None:
            raise ValueError("give either iterations or epochs, not both; set the other to null")
        return self

    def total_iterations(self, num_examples: int) -> int:
        """Optimizer steps for a task of `num_examples` training examples."""
        if self.iterations is not None:
            return self.iterations
        return max(1, math.ceil((self.epochs or 10.0) * num_examples / self.batch_size))
