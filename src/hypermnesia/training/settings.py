"""Settings of training, which every learner has."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from hypermnesia.settings import OnlyWith, SearchRange, Settings
from hypermnesia.training.augmentation import Augmentation
from hypermnesia.training.optimizer_kinds import (
    OPTIMIZERS,
    OWN_SETTINGS,
    check_arguments,
    kind_named,
    plain_argument,
    takes,
)

Decay = Annotated[float, Field(ge=0, lt=1)]
"""Decay rate of an exponential average."""
Epoch = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Argument = Annotated[Any, AfterValidator(plain_argument)]
"""An argument of an optimizer's class, whose signature says of which type."""
_MOST_STEPS = 10**9
"""Of a task; more would take weeks, and are a mistake."""
Scheduled = OnlyWith("optimizer", other_than=("rprop",))
"""Rprop finds step sizes by itself: it has the learning rate for the first one only."""
Decaying = OnlyWith(
    "optimizer", other_than=tuple(name for name, kind in OPTIMIZERS.items() if not takes(kind, "weight_decay"))
)


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


class EarlyStopping(Settings):
    """End of a task, before its last step, when the metric on its validation examples stops getting better.

    It is measured after every epoch, and after the last step.

    Example:
        >>> EarlyStopping(patience=5).restore_best
        True
    """

    patience: Annotated[int, Field(ge=1)] = 10
    """Number of epochs without a new best value after which the task ends."""
    min_delta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Change, in the metric's own unit, that a better value must exceed to be a new best one."""
    restore_best: bool = True
    """Whether the task ends with what had been learned at the best value, statistics included, whatever ends it. That
    takes memory for one more copy."""


class ParameterGroup(Settings):
    """Parameters that are optimized in another way than others, as parameter groups of PyTorch are.

    Example:
        >>> ParameterGroup(parameters=("*.bias",), weight_decay=0).rate_factor
        1.0
    """

    parameters: Annotated[tuple[str, ...], Field(min_length=1)]
    """Patterns (such as `*.bias`) of names of parameters."""
    rate_factor: Factor = 1.0
    """Factor of their learning rate."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Weight decay of their own; null for that of all others."""

    @model_validator(mode="after")
    def _has_an_effect(self) -> ParameterGroup:
        if self.rate_factor == 1 and self.weight_decay is None:
            raise ValueError("changes nothing as it is: set rate_factor or weight_decay, or leave the group out")
        return self


class TrainingSettings(Settings):
    """Settings of how one task is learned: optimizer, number of steps, batches and numerics.

    Example:
        >>> TrainingSettings(iterations=500, learning_rate=1e-3).total_iterations(epoch=8)
        500
        >>> TrainingSettings(epochs=2).total_iterations(epoch=7.8)
        16
    """

    optimizer: Annotated[str, AfterValidator(kind_named)] = "adam"
    """Optimizer, which starts anew for every task: one of `torch.optim` by the name of its class, but for those that
    need the loss again (L-BFGS) or sparse gradients (SparseAdam)."""
    optimizer_arguments: dict[str, Argument] = Field(default_factory=dict)
    """Further arguments of the optimizer's class by name, such as `{"amsgrad": true}`."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(1e-5, 1e-1, log=True)] = 1e-3
    """Learning rate of the optimizer at the beginning of a task."""
    momentum: Annotated[float, Field(ge=0, lt=1), OnlyWith("optimizer", ("sgd", "rmsprop"))] = 0.0
    """Momentum of SGD and RMSprop."""
    betas: Annotated[tuple[Decay, Decay], OnlyWith("optimizer", ("adam", "adamw"))] = (0.9, 0.999)
    """Decay rates of Adam's and AdamW's averages of the gradient and of its square."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False), Decaying] = 0.0
    """Weight decay of the optimizer; decoupled from the gradient in AdamW."""
    groups: tuple[ParameterGroup, ...] = ()
    """Parameters with a learning rate or a weight decay of their own; of several groups that match one, the first
    counts. Names are the module's own; `hypernetwork.*` are Θ_h, `task_embedding` is the embedding that is learned."""
    warm_up: Annotated[int, Field(ge=0), Scheduled] = 0
    """Number of steps at the beginning of a task over which the learning rate grows from near zero to what the schedule
    gives; 0 for none."""
    schedule: Annotated[Literal["constant", "cosine", "step", "milestones"], Scheduled] = "constant"
    """Schedule of the learning rate over one task: `cosine` falls to 0, `step` multiplies it by `step_factor` every
    `step_size` iterations, `milestones` gives it a factor from certain epochs on."""
    step_size: Annotated[int, Field(ge=1), OnlyWith("schedule", ("step",))] = 1000
    """Number of iterations between two falls of the step schedule."""
    step_factor: Annotated[float, Field(gt=0, lt=1), OnlyWith("schedule", ("step",))] = 0.1
    """Factor of each fall of the step schedule."""
    milestones: Annotated[tuple[tuple[Epoch, Factor], ...], OnlyWith("schedule", ("milestones",))] = ()
    """Pairs of an epoch and the factor that the learning rate has after it, as `[[80, 0.1], [120, 0.01]]`; all factors
    are to `learning_rate`. Epochs may be fractions, and grow."""
    plateau: Annotated[Plateau | None, Scheduled] = None
    """Fall of the learning rate, beside the schedule, when the metric on validation examples stops getting better;
    null for none."""
    early_stopping: EarlyStopping | None = None
    """End of a task when the metric on validation examples stops getting better, with the best of what was learned;
    null for none."""
    iterations: Annotated[int, Field(ge=1, le=_MOST_STEPS)] | None = None
    """Number of optimizer steps for each task. Exclusive with `epochs`."""
    epochs: Annotated[float, Field(gt=0, le=_MOST_STEPS, allow_inf_nan=False)] | None = None
    """Number of passes over a task's training examples; null for 10 where `iterations` is not given either. Exclusive
    with `iterations`."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Number of training examples in a batch, all of a task that has fewer; a data loader makes its own batches."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 1
    """Number of batches whose mean gradient makes one optimizer step, where a batch as large as all of them takes too
    much memory. Iterations count optimizer steps."""
    augmentation: Augmentation | None = None
    """Random crops and flips of the images learned from, anew in every step; null for none."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """Largest Euclidean norm of the gradient of all parameters together; null leaves gradients as they are."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of the target network's forward pass (autocast); weights, their generation and the regularizer stay
    float32. For `float16` losses are scaled, and steps whose gradients overflow are skipped."""
    compile: bool = False
    """Whether torch.compile compiles the target network's forward pass; on the CPU this needs a C++ compiler."""

    @model_validator(mode="after")
    def _optimizer_takes_its_arguments(self) -> TrainingSettings:
        own = {name: getattr(self, name) for name in OWN_SETTINGS.get(self.optimizer, ())}
        check_arguments(self.optimizer, self.optimizer_arguments, own)
        decays = takes(OPTIMIZERS[self.optimizer], "weight_decay")
        if not decays and any(group.weight_decay is not None for group in self.groups):
            raise ValueError(f"groups: {self.optimizer} has no weight decay; leave it out of all groups")
        return self

    @model_validator(mode="after")
    def _one_length(self) -> TrainingSettings:
        if self.iterations is not None and self.epochs is not None:
            raise ValueError("give either iterations or epochs, not both; set the other to null")
        return self

    @model_validator(mode="after")
    def _warm_up_ends(self) -> TrainingSettings:
        if self.iterations is not None and self.warm_up > self.iterations:
            raise ValueError(
                f"warm_up: the learning rate would grow over {self.warm_up:,} steps, and a task has {self.iterations:,}"
                " (iterations); give at most as many"
            )
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

    @property
    def examples_in_a_step(self) -> int:
        """Number of examples in an optimizer step, as far as `batch_size` decides."""
        return self.batch_size * self.gradient_accumulation_steps

    def total_iterations(self, epoch: float) -> int:
        """Return the number of optimizer steps for a task.

        Args:
            epoch: Number of batches that go once through its training examples, as `Examples.steps_per_epoch` has it.
        """
        if self.iterations is not None:
            return self.iterations
        # Rounded: ten passes of 3.3 steps are 33, whatever the last digit of the product is.
        return max(1, math.ceil(round((self.epochs or 10.0) * epoch / self.gradient_accumulation_steps, 6)))
