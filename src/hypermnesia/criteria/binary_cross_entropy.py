"""Binary cross-entropy: each of several labels of an input holds or does not."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria.criterion import Criterion, MetricName, Targets
from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.criteria.weights import Weights, weights_as_tensor
from hypermnesia.settings import Settings


class BinaryCrossEntropy(Settings, Criterion):
    """Cross-entropy of several labels an input, each of which holds (1) or not (0), as `torch.nn.BCEWithLogitsLoss`.

    Outputs are the logits of the labels, `[n, labels]`, or `[n, labels, ...]` for the elements of inputs; labels are of
    the same shape, or `[n]` where there is one an input. The metric is accuracy: the share of all labels that get what
    they are.

    Example:
        >>> BinaryCrossEntropy().loss(torch.tensor([[0.0, 9.0]]), torch.tensor([[0, 1]]))
        tensor(0.3466)
    """

    kind: Literal["binary-cross-entropy"] = "binary-cross-entropy"
    """Name of the criterion."""
    pos_weight: Weights | None = None
    """Weight of each label where it holds; one number for all; null where both answers count alike."""

    metric: ClassVar[MetricName] = "accuracy"

    def why_not(self, kind: LabelKind, shape: tuple[int, ...]) -> str | None:
        return None

    def shape_of_outputs(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        return ("labels", *map(str, shape[1:]))

    def loss(self, outputs: Tensor, targets: Tensor, first: int = 0) -> Tensor:
        weight = None
        if self.pos_weight is not None:
            number = len(self.pos_weight)
            weight = weights_as_tensor(self.pos_weight, number, 0, outputs.dtype, str(outputs.device))
            weight = weight.view(-1, *(1 for _ in outputs.shape[2:]))
        return functional.binary_cross_entropy_with_logits(outputs, _as(outputs, targets), pos_weight=weight)

    def merit(self, outputs: Tensor, targets: Targets) -> Float[Tensor, " inputs"]:
        """Return the share of each input's labels that get what they are."""
        return ((outputs > 0) == (_as(outputs, targets) > 0.5)).float().flatten(1).mean(1)

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        return -functional.binary_cross_entropy_with_logits(
            outputs, target.to(outputs).view_as(outputs), reduction="sum"
        )

    def sample(self, outputs: Tensor, targets: Targets, generator: torch.Generator | None) -> Targets:
        return torch.bernoulli(outputs.sigmoid().cpu(), generator=generator).to(outputs.device).view(targets.shape)

    def information(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        log_p = functional.logsigmoid(torch.cat([outputs.flatten(), -outputs.flatten()]))
        return log_p, log_p.exp()


def _as(outputs: Tensor, targets: Targets) -> Tensor:
    """Targets of the type and shape of outputs."""
    return (targets[:, None] if targets.ndim == 1 else targets).to(outputs.dtype)
