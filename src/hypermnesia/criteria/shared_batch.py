"""Loss and metric of a batch that several processes may share."""

from __future__ import annotations

from torch import Tensor

from hypermnesia import parallel
from hypermnesia.criteria.criterion import Criterion, Targets


def loss_and_metric(
    criterion: Criterion, outputs: Tensor, targets: Targets, first: int = 0, own_loss: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what this rank adds to the loss of a whole batch, and to its metric by name.

    Means are over all that counts in the whole batch, however ignored labels, say, are spread over ranks.

    Args:
        criterion: What is learned by.
        outputs: Outputs for this rank's share of the batch.
        targets: Labels of the whole batch.
        first: Output that the first class of the task has.
        own_loss: Loss that the module has returned for its share, where it does; otherwise outputs and targets tell it.

    Example:
        >>> import torch
        >>> from hypermnesia.criteria import CrossEntropy
        >>> loss_and_metric(CrossEntropy(), torch.zeros(2, 4), torch.tensor([0, 1]))
        (tensor(1.3863), {'accuracy': tensor(0.5000)})
    """
    own = parallel.share(targets)
    loss = criterion.loss(outputs, own, first) if own_loss is None else own_loss
    if parallel.size() > 1:
        loss = loss * (criterion.amount(own) / _at_least_some(criterion.amount(targets)))
    merit = criterion.merit(outputs, criterion.placed(own, first))
    if merit is None:
        return loss, {}
    return loss, {criterion.metric: merit.sum() / _at_least_some(criterion.counted(targets))}


def _at_least_some(amount: Tensor | float) -> Tensor | float:
    return amount.clamp_min(1e-12) if isinstance(amount, Tensor) else amount
