"""What a network learns by: a loss, what it is a mean over, and the likelihood that it is of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.errors import ConfigurationError

Targets = Shaped[Tensor, "inputs *label"]
"""Labels of inputs: for each one class, or one for each of its elements; or a number for each output."""

MetricName = Literal["accuracy", "error", "loss"]
"""Metrics that have a name: share of right answers, mean squared error, mean of the criterion's loss."""


class Criterion(ABC):
    """Criterion: the loss by which a network learns, and what goes with it.

    Attributes:
        kind: Name of the criterion.
        metric: Metric that goes with it.
    """

    kind: str
    metric: ClassVar[MetricName]

    @abstractmethod
    def why_not(self, kind: LabelKind, shape: tuple[int, ...]) -> str | None:
        """Return why labels cannot be learned by it, as half a sentence; None where they can.

        Args:
            kind: What the labels are.
            shape: Shape of the label of one input.
        """

    @abstractmethod
    def shape_of_outputs(self, shape: tuple[int, ...]) -> tuple[str, ...] | None:
        """Return the shape that the outputs for one input must have, a name for any number; None where any will do.

        Args:
            shape: Shape of the label of one input.
        """

    @abstractmethod
    def loss(self, outputs: Float[Tensor, "inputs *outputs"], targets: Targets, first: int = 0) -> Float[Tensor, ""]:
        """Return the loss to minimize: a mean over what :meth:`Criterion.amount` counts.

        Args:
            outputs: Outputs of the network.
            targets: Labels, as the task has them.
            first: Output that the first class of the task has.
        """

    def amount(self, targets: Targets) -> Tensor | float:
        """Return how much the loss is a mean over: means over parts, weighted by it, make that over the whole.

        Args:
            targets: Labels, as the task has them.
        """
        return float(len(targets))

    def placed(self, targets: Targets, first: int) -> Targets:
        """Return targets in which the first class of the task has the number of its output."""
        return targets

    def merit(self, outputs: Float[Tensor, "inputs *outputs"], targets: Targets) -> Float[Tensor, " inputs"] | None:
        """Return what each input adds to the metric, a mean over :meth:`counted`; None where it is the loss.

        Args:
            outputs: Outputs of the network.
            targets: Placed ones.
        """
        return None

    def counted(self, targets: Targets) -> Tensor | float:
        """Return how much the metric is a mean over.

        Args:
            targets: Labels, as the task has them.
        """
        return float(len(targets))

    def log_likelihood(self, outputs: Float[Tensor, "*outputs"], target: Tensor) -> Float[Tensor, ""]:
        """Return the log-likelihood of the target of one input, up to a constant; a placed one."""
        return -self.loss(outputs[None], target[None])

    def sample(
        self, outputs: Float[Tensor, "inputs *outputs"], targets: Targets, generator: torch.Generator | None
    ) -> Targets:
        """Draw targets from the distribution of each input, on the CPU, so that every device draws the same.

        Args:
            outputs: Outputs of the network.
            targets: Placed ones, of which what is ignored stays so.
            generator: CPU generator; None for torch's default one.
        """
        raise self._no_distribution()

    def information(
        self, outputs: Float[Tensor, "*outputs"], target: Tensor
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Return values v and weights w of one input: Σ_i w_i (∂v_i/∂θ)² is the diagonal of its Fisher information.

        Args:
            outputs: Outputs of the network for the input.
            target: A placed one, which tells what is ignored and so informs of nothing.
        """
        raise self._no_distribution()

    def _no_distribution(self) -> ConfigurationError:
        return ConfigurationError(
            f"the criterion {self.kind} is no likelihood, so there is no distribution to take an expectation over:"
            " take the empirical Fisher information, of gradients of the loss itself"
        )


def per_input(values: Tensor) -> Float[Tensor, " inputs"]:
    """Return the sum over all that belongs to each input.

    Example:
        >>> per_input(torch.ones(2, 3)), per_input(torch.ones(2))
        (tensor([3., 3.]), tensor([1., 1.]))
    """
    return values.float() if values.ndim == 1 else values.flatten(1).sum(1, dtype=torch.float32)
