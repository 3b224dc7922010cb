"""Mean squared error: outputs are predicted numbers."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria.criterion import Criterion, MetricName, Targets
from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.settings import Settings


class MeanSquaredError(Settings, Criterion):
    """Mean squared error, as `torch.nn.MSELoss`; the metric is the same.

    Outputs are the means of normal distributions with variance one, of the shape of the labels: `[n, targets]`, or
    `[n, channels, ...]` where images are predicted, say.

    Example:
        >>> MeanSquaredError().loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.5], [2.0]]))
        tensor(0.1250)
    """

    kind: Literal["mean-squared-error"] = "mean-squared-error"
    """Name of the criterion."""

    metric: ClassVar[MetricName] = "error"

    def why_not(self, kind: LabelKind, shape: tuple[int, ...]) -> str | None:
        return None if kind == "numbers" else "its labels are floating-point numbers"

    def shape_of_outputs(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        return ("outputs", *map(str, shape[1:]))

    def loss(self, outputs: Tensor, targets: Tensor, first: int = 0) -> Tensor:
        return functional.mse_loss(outputs, targets.to(outputs.dtype))

    def merit(self, outputs: Tensor, targets: Targets) -> Float[Tensor, " inputs"]:
        """Return the mean squared error of each input."""
        return (outputs - targets.to(outputs.dtype)).square().flatten(1).mean(1)

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        return -(outputs - target).square().sum() / 2

    def sample(self, outputs: Tensor, targets: Targets, generator: torch.Generator | None) -> Targets:
        noise = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
        return outputs + noise.to(outputs.device)

    def information(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        outputs = outputs.flatten()
        return outputs, torch.ones_like(outputs)
