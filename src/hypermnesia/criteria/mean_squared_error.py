"""Mean squared error: outputs are predicted numbers."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria.criterion import Criterion
from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.criteria.metric import ERROR, Metric


class MeanSquaredError(Criterion):
    """Mean squared error: outputs are the means of normal distributions with variance one; the metric is the same.

    Example:
        >>> MeanSquaredError().merit(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.5], [2.0]]))
        tensor([0.2500, 0.0000])
    """

    kind: Literal["mean-squared-error"] = "mean-squared-error"
    """Name of the criterion."""

    labels: ClassVar[LabelKind] = "numbers"
    metric: ClassVar[Metric] = ERROR

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        assert label_smoothing == 0
        return functional.mse_loss(outputs, targets.to(outputs.dtype))

    def merit(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets.to(outputs.dtype)).square().mean(1)

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        return -(outputs - target).square().sum() / 2

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
        return outputs + noise.to(outputs.device)

    def information(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        return outputs, torch.ones_like(outputs)
