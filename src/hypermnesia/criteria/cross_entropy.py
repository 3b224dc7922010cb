"""Cross-entropy: an input, or each element of it, is of one class."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria.criterion import Criterion, MetricName, Targets, per_input
from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.criteria.weights import Weights, weights_as_tensor
from hypermnesia.errors import DataError
from hypermnesia.settings import Settings

IGNORED = -100
"""Placed label of what is ignored: no output has it, whichever label says so in the user's data."""


class CrossEntropy(Settings, Criterion):
    """Cross-entropy of classes whose logits the outputs are, as `torch.nn.CrossEntropyLoss`; the metric is accuracy.

    Outputs are `[n, classes]` and labels `[n]`; or, where every element of an input has a class, such as each pixel or
    each token, `[n, classes, ...]` and `[n, ...]`. Loss and accuracy are means over all elements but ignored ones; of a
    batch in which all are ignored, the loss is 0.

    Example:
        >>> CrossEntropy(weight=[1, 3]).loss(torch.zeros(1, 2, 3), torch.tensor([[0, 1, -100]]))
        tensor(0.6931)
    """

    kind: Literal["cross-entropy"] = "cross-entropy"
    """Name of the criterion."""
    weight: Weights | None = None
    """Weight of each class of a task in the loss, by its label; null where all count alike."""
    ignore_index: int = -100
    """Label of elements that count neither in the loss nor in the metric."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a class's target probability that is spread over all classes of the task, or all outputs of a generated
    network that has more: with ten, 0.0556 leaves 0.95 to the true one."""

    metric: ClassVar[MetricName] = "accuracy"

    def why_not(self, kind: LabelKind, shape: tuple[int, ...]) -> str | None:
        return None if kind == "classes" else "its labels are class numbers, which are integers"

    def shape_of_outputs(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        return ("classes", *map(str, shape)) if shape else ("outputs",)

    def loss(self, outputs: Tensor, targets: Tensor, first: int = 0) -> Tensor:
        weight = None
        if self.weight is not None:
            weight = weights_as_tensor(self.weight, outputs.shape[1], first, outputs.dtype, str(outputs.device))
        ignoring = self._may_be_ignored(targets)
        try:
            loss = functional.cross_entropy(
                outputs,
                self.placed(targets, first),
                weight,
                ignore_index=IGNORED,
                reduction="sum" if ignoring else "mean",
                label_smoothing=self.label_smoothing,
            )
        except IndexError as error:  # of labels that nobody has seen before, because they are not in memory
            raise DataError(
                f"labels must be class numbers from 0 to {outputs.shape[1] - first - 1}"
                f"{f', or {self.ignore_index}, which is ignored' if ignoring else ''}: {error}"
            ) from error
        # A mean over nothing would be no number.
        return loss / torch.as_tensor(self.amount(targets)).clamp_min(1e-12) if ignoring else loss

    def amount(self, targets: Targets) -> Tensor | float:
        """Return the number of labels that are not ignored or, where classes have weights, the sum of these."""
        if self.weight is None and not self._may_be_ignored(targets):
            return float(len(targets))
        counted = targets != self.ignore_index
        if self.weight is None:
            return counted.sum()
        number = len(self.weight)
        weights = weights_as_tensor(self.weight, number, 0, torch.float32, str(targets.device))
        return torch.where(counted, weights[targets.clamp(0, number - 1)], 0.0).sum()

    def placed(self, targets: Targets, first: int) -> Targets:
        """Return the number of the output of each label; ignored ones, told by the user's label, are `IGNORED`."""
        placed = targets + first if first else targets
        if not self._may_be_ignored(targets):
            return placed
        # A wrong label below 0 stays a wrong one.
        return torch.where(targets == self.ignore_index, IGNORED, placed.clamp_min(-1))

    def merit(self, outputs: Tensor, targets: Targets) -> Float[Tensor, " inputs"]:
        """Return how many elements of each input get their class, of those that are not ignored."""
        return per_input(outputs.argmax(1) == targets)  # no output is IGNORED

    def counted(self, targets: Targets) -> Tensor | float:
        """Return the number of labels that are not ignored."""
        return (targets != self.ignore_index).sum() if self._may_be_ignored(targets) else float(len(targets))

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        counted = target != IGNORED
        of_target = outputs.log_softmax(0).gather(0, torch.where(counted, target, 0)[None])[0]
        return torch.where(counted, of_target, 0.0).sum()

    def sample(self, outputs: Tensor, targets: Targets, generator: torch.Generator | None) -> Targets:
        probabilities = outputs.softmax(1).movedim(1, -1).cpu()
        drawn = torch.multinomial(probabilities.flatten(0, -2), 1, generator=generator)
        drawn = drawn.view(probabilities.shape[:-1]).to(outputs.device)
        return torch.where(targets == IGNORED, IGNORED, drawn)

    def information(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        log_p = outputs.log_softmax(0)
        return log_p.flatten(), torch.where(target == IGNORED, 0.0, log_p.exp()).flatten()

    def _may_be_ignored(self, targets: Targets) -> bool:
        """Whether there may be labels that are ignored. Classes of whole inputs are never negative."""
        return targets.ndim > 1 or self.ignore_index >= 0
