"""Settings of a hypernetwork and of its regularizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermnesia.initialization import Initialization
from hypermnesia.networks.perceptron import ActivationName
from hypermnesia.settings import OnlyWith, SearchRange, Settings

Size = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
OfRegularizer = OnlyWith("beta")


class HypernetworkSettings(Settings):
    """Settings of a hypernetwork: its architecture, and the regularizer that keeps it from forgetting.

    Example:
        >>> HypernetworkSettings(compression=0.5).hidden
        (20, 20)
    """

    embedding_dim: Size = 24
    """Dimension of a task embedding: the number of weights stored for each task."""
    chunk_embedding_dim: Annotated[Size, OnlyWith("chunk_size", other_than=("full",))] = 16
    """Dimension of a chunk embedding."""
    hidden: tuple[Size, ...] = (20, 20)
    """Widths of the hypernetwork's hidden layers."""
    activation: Annotated[ActivationName, OnlyWith("hidden")] = "relu"
    """Activation function of the hypernetwork's hidden layers."""
    chunk_size: Size | Literal["full"] | None = None
    """Number of target weights in a chunk; `full` for all at once. Exclusive with `compression`."""
    compression: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Ratio of hypernetwork weights to target weights, from which the chunk size follows. Exclusive with `chunk_size`.
    Where neither is given, chunks are so large that a first task is learned as by the target itself: the last layer of
    the hypernetwork then has four weights for each target weight, and more for few of them."""
    start: Literal["module", "zero"] = "module"
    """What generated weights are a difference from: `module` for the values that the module came with, so that it
    starts as it is; `zero` as published, where the module's values do not matter."""
    embedding_candidates: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Number of embeddings drawn for a task after the first. It begins with the one whose network fits its first batch
    best; 1 as published."""
    initialization: Initialization | None = None
    """Initialization of the hypernetwork's weights: `xavier` as published, also `hyperfan-in` and `hyperfan-out` with
    `start: zero`, and `decorrelated` with `start: module`; null for `xavier` with the former, `decorrelated` with the
    latter."""
    rate_factor: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["features"] = "features"
    """Factor of the learning rate for the hypernetwork's weights, 1 as published. A generated weight moves by the sum
    of its features' steps, in a direction that all chunks share: `features` is √chunks / Σ|Φ|, with which a first task
    is learned about as fast as by the network itself."""
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(1e-3, 1e3, log=True)] = 30.0
    """Strength of the output regularizer; 0 turns it off."""
    beta_relative: Annotated[bool, OfRegularizer] = True
    """Whether the regularizer is relative to the size of what it protects, the mean ‖Θ_trgt‖² of past tasks, so that a
    strength means the same for all networks; false as published."""
    chunk_importance: Annotated[
        Literal["equal", "gradient"], OfRegularizer, OnlyWith("chunk_size", other_than=("full",))
    ] = "equal"
    """What a chunk counts in the regularizer: all `equal`, as published, or by how much past tasks depend on it, the
    root mean square of the `gradient` of their losses by its weights. Then `beta` has to be chosen anew: most chunks
    count less than one, and few much more."""
    lookahead: Annotated[Literal["optimizer", "sgd", "none"], OfRegularizer] = "optimizer"
    """Point at which the regularizer is evaluated: `optimizer` or `sgd` for the weights after the optimizer's step, or
    a gradient step, on the task loss alone; `none` for the weights as they are."""
    lookahead_rate: Annotated[Rate | None, OfRegularizer, OnlyWith("lookahead", ("sgd",))] = None
    """Step size of `lookahead: sgd`; null for the learning rate."""
    gradient_through_lookahead: Annotated[bool, OfRegularizer, OnlyWith("lookahead", ("optimizer", "sgd"))] = False
    """Whether the regularizer's gradient flows through the lookahead step too, which is slower."""
    max_tasks: Annotated[Size | None, OfRegularizer] = None
    """Number of past tasks that the regularizer covers in a step, drawn at random; null for all. Exclusive with
    `max_pairs`."""
    max_pairs: Annotated[Size | None, OfRegularizer] = None
    """Number of pairs of a past task and a chunk that the regularizer covers in a step, drawn at random; null for all.
    What a step then takes does not grow with the tasks, however wide the hypernetwork is and however many chunks there
    are; the estimate is better than that of as many pairs of few tasks. Exclusive with `max_tasks`."""
    regularizer: Annotated[Literal["gram", "direct"], OfRegularizer] = "gram"
    """Algorithm of the output regularizer: `gram` and `direct` give the same value, `gram` is fast."""
    shared: tuple[str, ...] = ()
    """Patterns (such as `encoder.*`) of parameters that are not generated but stay as they are, shared by all tasks."""
    own: tuple[str, ...] = ()
    """Patterns (such as `head.*`) of parameters of which each task has its own, learned directly."""
    own_start: Annotated[Literal["module", "drawn"], OnlyWith("own")] = "module"
    """Where each task's own parameters start: at the module's values, or drawn anew as their layers draw them."""

    @model_validator(mode="after")
    def _consistent(self) -> HypernetworkSettings:
        if self.chunk_size is not None and self.compression is not None:
            raise ValueError("give either chunk_size or compression, not both; set the other to null")
        if self.max_tasks is not None and self.max_pairs is not None:
            raise ValueError("give either max_tasks or max_pairs, not both; set the other to null")
        if self.start == "module" and self.initialization in ("hyperfan-in", "hyperfan-out"):
            raise ValueError(
                f"initialization: has an effect only where start is zero, if it is {self.initialization}: otherwise the"
                " readout starts at zero; leave it out, or set start to zero"
            )
        if self.start == "zero" and self.initialization == "decorrelated":
            raise ValueError(
                "initialization: decorrelated is possible only where start is module; leave it out, or set start to it"
            )
        return self
