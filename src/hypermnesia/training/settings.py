"""Settings of training, which every learner has."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermnesia.settings import OnlyWith, SearchRange, Settings
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
        >>> TrainingSettings(iterations=500, learning_rate=1e-3).total_iterations(epoch=8)
        500
        >>> TrainingSettings(epochs=2).total_iterations(epoch=7.8)
        16
    """

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    """Optimizer, which starts anew for every task."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(1e-5, 1e-1, log=True)] = 1e-3
    """Learning rate of the optimizer at the beginning of a task."""
    momentum: Annotated[float, Field(ge=0, lt=1), OnlyWith("optimizer", ("sgd", "rmsprop"))] = 0.0
    """Momentum of SGD and RMSprop."""
    betas: Annotated[tuple[Decay, Decay], OnlyWith("optimizer", ("adam", "adamw"))] = (0.9, 0.999)
    """Decay rates of Adam's and AdamW's averages of the gradient and of its square."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay of the optimizer; decoupled from the gradient in AdamW."""
    schedule: Literal["constant", "cosine", "step", "milestones"] = "constant"
    """Schedule of the learning rate over one task: `cosine` falls to 0, `step` multiplies it by `step_factor` every
    `step_size` iterations, `milestones` gives it a factor from certain epochs on."""
    step_size: Annotated[int, Field(ge=1), OnlyWith("schedule", ("step",))] = 1000
    """Number of iterations between two falls of the step schedule."""
    step_factor: Annotated[float, Field(gt=0, lt=1), OnlyWith("schedule", ("step",))] = 0.1
    """Factor of each fall of the step schedule."""
    milestones: Annotated[tuple[tuple[Epoch, Factor], ...], OnlyWith("schedule", ("milestones",))] = ()
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
    """Number of training examples in a step, all of a task that has fewer; a data loader makes its own batches."""
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
        if self.schedule == "milestones" and not self.milestones:
            raise ValueError("schedule: milestones and a list of milestones belong together; give both or neither")
        epochs = [epoch for epoch, _ in self.milestones]
        if epochs != sorted(set(epochs)):
            raise ValueError(f"milestones must be in the order of their epochs, each once, not at {epochs}")
        return self

    @model_validator(mode="after")
    def _plateau_may_fall(self) -> TrainingSettings:
        if self.plateau is not None and self.plateau.least_rate >= self.learning_rate:
            raise ValueError(
                f"plateau.least_rate: the learning rate begins at {self.learning_rate} and could never fall; give a"
                " smaller least_rate"
            )
        return self

    def total_iterations(self, epoch: float) -> int:
        """Return the number of optimizer steps for a task.

        Args:
            epoch: Number of steps that go once through its training examples, as `Examples.steps_per_epoch` has it.
        """
        if self.iterations is not None:
            return self.iterations
        # Rounded: ten passes of 3.3 steps are 33, whatever the last digit of the product is.
        return max(1, math.ceil(round((self.epochs or 10.0) * epoch, 6)))
