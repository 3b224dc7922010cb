"""The settings of a hypernetwork-protected learner, checked when made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermnesia.initialization import Initialization
from hypermnesia.networks.activations import ActivationName
from hypermnesia.settings import SearchRange, Settings

Size = Annotated[int, Field(ge=1)]


class HypernetworkSettings(Settings):
    """What the hypernetwork looks like, and how it is kept from forgetting.

    Example:
        >>> HypernetworkSettings(compression=0.5).hidden
        (20, 20)
    """

    embedding_dim: Size = 24
    """Numbers in a task embedding: the memory a task costs."""
    chunk_embedding_dim: Size = 16
    """Numbers in a chunk embedding."""
    hidden: tuple[Size, ...] = (20, 20)
    """Widths of the hypernetwork's hidden layers."""
    activation: ActivationName = "relu"
    """Of the hypernetwork."""
    chunk_size: Size | Literal["full"] | None = None
    """Target weights per chunk; `full` for all at once. Exclusive with `compression`."""
    compression: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Hypernetwork weights per target weight, from which the chunk size follows. Neither given: 1."""
    initialization: Initialization = "xavier"
    """Of the hypernetwork's weights."""
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(1e-4, 1.0, log=True)] = 0.01
    """Strength of the output regularizer; 0 turns it off."""
    lookahead: Literal["optimizer", "sgd", "none"] = "optimizer"
    """Where the regularizer is evaluated: at what the optimizer, or a plain gradient step, would do on the task loss
    alone, or where the weights are."""
    lookahead_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Rate of the plain gradient step of `lookahead: sgd`; null for the learning rate."""
    gradient_through_lookahead: bool = False
    """Differentiate through the candidate step too (slower)."""
    max_tasks: Size | None = None
    """Past tasks in the regularizer per step, drawn at random; null for all."""
    regularizer: Literal["gram", "direct"] = "gram"
    """How the output regularizer is computed: both give the same, gram is fast."""
    shared: tuple[str, ...] = ()
    """Patterns (`encoder.*`) of parameters that are not generated but stay as they are, shared by all tasks."""

    @model_validator(mode="after")
    def _consistent(self) -> HypernetworkSettings:
        if self.chunk_size is not None and self.compression is not None:
            raise ValueError("give either chunk_size or compression, not both; set the other to null")
        if self.lookahead_rate is not None and self.lookahead != "sgd":
            raise ValueError("lookahead_rate belongs to lookahead: sgd")
        if self.gradient_through_lookahead and self.lookahead == "none":
            raise ValueError("gradient_through_lookahead needs a lookahead: optimizer or sgd")
        return self
