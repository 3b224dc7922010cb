"""A criterion of the user's own: any function of outputs and targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from hypermnesia.criteria.criterion import Criterion, MetricName
from hypermnesia.criteria.label_kind import LabelKind
from hypermnesia.errors import DataError


@dataclasses.dataclass(frozen=True)
class Custom(Criterion):
    """Loss of the user's own, a function of outputs and targets; the metric is its mean.

    Nothing is known of it but that it returns one number. Where a batch is divided among processes, or a measurement
    among batches, it is taken for a mean over inputs.

    Args:
        function: Function of outputs `[n, outputs, ...]` and targets `[n, ...]` that returns a scalar tensor.

    Example:
        >>> import torch
        >>> Custom(torch.nn.functional.l1_loss).loss(torch.tensor([[1.0]]), torch.tensor([[3.0]]))
        tensor(2.)
    """

    function: Callable[[Tensor, Tensor], Tensor]

    metric: ClassVar[MetricName] = "loss"

    @property
    def kind(self) -> str:  # type: ignore[override]
        """Name of the function, by which people know what to give again."""
        return name_of(self.function)

    def why_not(self, kind: LabelKind, shape: tuple[int, ...]) -> str | None:
        return None

    def shape_of_outputs(self, shape: tuple[int, ...]) -> None:
        return None

    def loss(self, outputs: Tensor, targets: Tensor, first: int = 0) -> Tensor:
        loss: Any = self.function(outputs, targets)
        if not isinstance(loss, Tensor) or loss.ndim:
            what = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise DataError(
                f"the criterion {self.kind} returned {what}: it must return one number as a tensor, such as the mean"
                " over inputs"
            )
        return loss


def name_of(function: object) -> str:
    """Return the name that a function, or the class of an object, has where it was defined.

    Example:
        >>> import torch
        >>> name_of(torch.nn.HuberLoss()), name_of(name_of)
        ('torch.nn.modules.loss.HuberLoss', 'hypermnesia.criteria.custom.name_of')
    """
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
