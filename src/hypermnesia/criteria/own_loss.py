"""A criterion that the module brings: the loss that it returns when it is given labels."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator
from torch import Tensor

from hypermnesia.criteria.criterion import Targets
from hypermnesia.criteria.cross_entropy import CrossEntropy


class OwnLoss(CrossEntropy):
    """Loss of classes that the module returns itself, as `.loss`, when it is called with `labels=…`.

    So do the models of transformers. All else is as with cross-entropy: outputs are logits, the metric is accuracy.

    Example:
        >>> import torch
        >>> OwnLoss().merit(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
        tensor([1.])
    """

    kind: Literal["model"] = "model"  # type: ignore[assignment]
    """Name of the criterion."""

    _of_the_module: ClassVar = ("weight", "label_smoothing")

    @model_validator(mode="after")
    def _leave_the_loss_to_the_module(self) -> OwnLoss:
        for name in self._of_the_module:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect on a loss that the module computes itself: leave it out")
        return self

    def loss(self, outputs: Tensor, targets: Targets, first: int = 0) -> Tensor:
        raise AssertionError("the module alone knows its loss")
