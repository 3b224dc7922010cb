"""What is learned by: a loss, the metric that goes with it, and the likelihood that it is of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.criteria.metric import Metric
from hypermnesia.settings import Settings

Targets = Int64[Tensor, " inputs"] | Float[Tensor, "inputs targets"]
"""Labels of inputs: class numbers from 0 on, or regression targets."""


class Criterion(Settings, ABC):
    """Criterion: the loss by which a network learns, and what goes with it.

    Attributes:
        labels: Kind of the labels it is for.
        metric: Figure by which predictions are judged.
    """

    kind: str
    """Name of the criterion."""
    labels: ClassVar[LabelKind]
    metric: ClassVar[Metric]

    @abstractmethod
    def loss(
        self, outputs: Float[Tensor, "inputs outputs"], targets: Targets, label_smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """Return the loss to minimize: the negative log-likelihood up to constants, averaged over inputs.

        Args:
            outputs: Outputs of the network.
            targets: What they should be.
            label_smoothing: Share of a class's target probability that is spread over all outputs; classes only.
        """

    @abstractmethod
    def merit(self, outputs: Float[Tensor, "inputs outputs"], targets: Targets) -> Float[Tensor, " inputs"]:
        """Return one value for each input; the metric is their mean."""

    @abstractmethod
    def log_likelihood(self, outputs: Float[Tensor, " outputs"], target: Tensor) -> Float[Tensor, ""]:
        """Return the log-likelihood of the target of one input, up to a constant."""

    @abstractmethod
    def sample(self, outputs: Float[Tensor, "inputs outputs"], generator: torch.Generator | None) -> Targets:
        """Draw targets from the distribution of each input, on the CPU, so that every device draws the same."""

    @abstractmethod
    def information(self, outputs: Float[Tensor, "*inputs outputs"]) -> tuple[Tensor, Tensor]:
        """Return values v and weights w of each input: Σ_i w_i (∂v_i/∂θ)² is the diagonal of the Fisher information."""
