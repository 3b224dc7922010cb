"""Cross-entropy: outputs are the logits of classes."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria.criterion import Criterion
from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.criteria.metric import ACCURACY, Metric


class CrossEntropy(Criterion):
    """Cross-entropy of classes, of which outputs are the logits; the metric is accuracy.

    Example:
        >>> CrossEntropy().merit(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
        tensor([1., 0.])
    """

    kind: Literal["cross-entropy"] = "cross-entropy"
    """Name of the criterion."""

    labels: ClassVar[LabelKind] = "classes"
    metric: ClassVar[Metric] = ACCURACY

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)

    def merit(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(1) == targets).float()

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        return outputs.log_softmax(-1).gather(0, target[None])[0]

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        probabilities = outputs.softmax(-1).cpu()
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(outputs.device)

    def information(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        log_p = outputs.log_softmax(-1)
        return log_p, log_p.exp()
