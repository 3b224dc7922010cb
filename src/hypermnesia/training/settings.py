"""Settings of training, which every learner has."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermnesia.settings import SearchRange, Settings
from hypermnesia.training.augmentation import Augmentation

Decay = Annotated[float, Field(ge=0, lt=1)]
"""Decay rate of an exponential average."""
Epoch = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Plateau(Settings):
    """Fall of the learning rate whenever the metric on a task's validation examples stops getting better.

    It is measured after every epoch.

    Example:
        >>> Plateau(patience=5).factor
        0.1
    """

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Factor of each fall."""
    patience: Annotated[int, Field(ge=0)] = 10
    """Number of epochs without a new best value that are let pass; the rate falls after one more."""
    least_rate: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Learning rate below which it does not fall."""


class TrainingSettings(Settings):
    """Settings of how one task is learned: optimizer, number of steps, batches and numerics.

    Example:
        >>> TrainingSettings(iterations=500, learning_rate=1e-3).total_iterations(num_examples=1000)
        500
        >>> TrainingSettings(epochs=2, batch_size=128).total_iterations(num_examples=1000)
        16
    """

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    """Optimizer, which starts anew for every task."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(1e-5, 1e-1, log=True)] = 1e-3
    """Learning rate of the optimizer at the beginning of a task."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Momentum of SGD and RMSprop."""
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Decay rates of Adam's and AdamW's averages of the gradient and of its square."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay of the optimizer; decoupled from the gradient in AdamW."""
    schedule: Literal["constant", "cosine", "step", "milestones"] = "constant"
    """Schedule of the learning rate over one task: `cosine` falls to 0, `step` multiplies it by `step_factor` every
    `step_size` iterations, `milestones` gives it a factor from certain epochs on."""
    step_size: Annotated[int, Field(ge=1)] = 1000
    """Number of iterations between two falls of the step schedule."""
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of each fall of the step schedule."""
    milestones: tuple[tuple[Epoch, Factor], ...] = ()
    """Pairs of an epoch and the factor that the learning rate has after it, as `[[80, 0.1], [120, 0.01]]`; all factors
    are to `learning_rate`. Epochs may be fractions, and grow."""
    plateau: Plateau | None = None
    """Fall of the learning rate, beside the schedule, when the metric on validation examples stops getting better;
    null for none."""
    iterations: Annotated[int, Field(ge=1)] | None = None
    """Number of optimizer steps for each task. Exclusive with `epochs`."""
    epochs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Number of passes over a task's training examples; null for 10 where `iterations` is not given either. Exclusive
    with `iterations`."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Number of training examples in a step."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a class's target probability that is spread over all classes of the task: with ten classes, 0.0556
    leaves 0.95 to the true one."""
    augmentation: Augmentation | None = None
    """Random crops and flips of the images learned from, anew in every step; null for none."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """Largest Euclidean norm of the gradient of all parameters together; null leaves gradients as they are."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the target network's forward pass (autocast); weights, their generation and the regularizer stay
    float32."""
    compile: bool = False
    """Whether torch.compile compiles the target network's forward pass; on the CPU this needs a C++ compiler."""

    @model_validator(mode="after")
    def _one_length(self) -> TrainingSettings:
        if self.iterations is not None and self.epochs is not None:
            raise ValueError("give either iterations or epochs, not both; set the other to null")
        return self

    @model_validator(mode="after")
    def _milestones_in_order(self) -> TrainingSettings:
        if bool(self.milestones) != (self.schedule == "milestones"):
            raise ValueError("schedule: milestones and a list of milestones belong together; give both or neither")
        epochs = [epoch for epoch, _ in self.milestones]
        if epochs != sorted(set(epochs)):
            raise ValueError(f"milestones must be in the order of their epochs, each once, not at {epochs}")
        return self

    def total_iterations(self, num_examples: int) -> int:
        """Return the number of optimizer steps for a task of `num_examples` training examples."""
        if self.iterations is not None:
            return self.iterations
        return max(1, math.ceil((self.epochs or 10.0) * num_examples / self.batch_size))

    def epochs_at(self, iteration: int, num_examples: int) -> float:
        """Return the number of passes over `num_examples` training examples that so many iterations make.

        Example:
            >>> TrainingSettings(batch_size=100).epochs_at(25, num_examples=1000)
            2.5
        """
        return iteration * self.batch_size / num_examples
