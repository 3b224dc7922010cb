"""Whether a task was learned at all: its training loss beside that of an answer that does not look at the input."""

from __future__ import annotations

import math
import statistics

import torch
from torch import Tensor

from hypermnesia.criteria import Criterion, CrossEntropy, MeanSquaredError, OwnLoss

_LEAST_STEPS = 50
"""Steps below which nothing is said: so few need not have learned anything."""


class Fit:
    """Fit of a task in the second half of its steps, beside the best constant answer to the same examples.

    The constant answer knows how often each class is (its loss is the entropy of the labels) or the mean of the targets
    (their variance), and nothing of the inputs. Whoever has learned anything, however hard the task is, has a smaller
    loss. So a task counts as hardly learned where the mean loss is not below that of the constant answer by twice
    its standard error, over at least 50 steps. Where there is only one answer, there is nothing to tell.

    Args:
        criterion: What is learned by: cross-entropy of classes that count alike, or the mean squared error.

    Example:
        >>> fit = Fit(CrossEntropy())
        >>> for step in range(100):
        ...     fit.count(torch.tensor(0.7), torch.tensor([0, 1]))
        >>> fit.finding()
        'The task was hardly learned: in the second half of its steps the training loss was 0.7 on average, and that \
of an answer that does not look at the input is 0.693.'
    """

    def __init__(self, criterion: CrossEntropy | MeanSquaredError) -> None:
        self._criterion = criterion
        self._recent: list[tuple[Tensor, Tensor]] = []
        self._losses: list[float] = []
        # Of labels how often each is; of targets their number, sum and sum of squares.
        self._sums = torch.zeros(0, dtype=torch.float64)

    @classmethod
    def of(cls, criterion: Criterion | None) -> Fit | None:
        """Return the fit by a criterion; None where nobody knows the best constant answer."""
        if isinstance(criterion, MeanSquaredError):
            return cls(criterion)
        if isinstance(criterion, OwnLoss):
            return None
        return cls(criterion) if isinstance(criterion, CrossEntropy) and criterion.weight is None else None

    def count(self, loss: Tensor, labels: Tensor) -> None:
        """Count a step; waits for the device now and then only.

        Args:
            loss: Loss of the step.
            labels: Labels, or targets, of its batch.
        """
        self._recent.append((loss.detach().clone(), labels))
        if len(self._recent) == _LEAST_STEPS:
            self._take_together()

    def finding(self) -> str | None:
        """Say that the task was hardly learned, or nothing."""
        if self._recent:
            self._take_together()
        if len(self._losses) < _LEAST_STEPS:
            return None
        constant = self._constant()
        mean, error = statistics.mean(self._losses), statistics.stdev(self._losses) / math.sqrt(len(self._losses))
        if constant == 0 or mean < constant - 2 * error:
            return None
        return (
            f"The task was hardly learned: in the second half of its steps the training loss was {mean:.3g} on average,"
            f" and that of an answer that does not look at the input is {constant:.3g}."
        )

    def _take_together(self) -> None:
        losses, batches = zip(*self._recent, strict=True)
        self._recent = []
        self._losses += torch.stack(losses).tolist()
        if isinstance(self._criterion, CrossEntropy):
            labels = torch.cat([batch.flatten() for batch in batches]).cpu()
            labels = labels[labels != self._criterion.ignore_index]
            sums = labels.bincount(minlength=len(self._sums)).double()
            sums[: len(self._sums)] += self._sums
        else:
            targets = torch.cat(batches).cpu().double()
            sums = torch.stack([torch.ones_like(targets).sum(0), targets.sum(0), targets.square().sum(0)])
            sums = sums + self._sums if len(self._sums) else sums
        self._sums = sums

    def _constant(self) -> float:
        """Loss of the best constant answer."""
        if not isinstance(self._criterion, CrossEntropy):
            number, total, squares = self._sums
            return float((squares / number - (total / number).square()).clamp_min(0).mean())
        shares = self._sums / self._sums.sum()
        if shares.max() == 1:
            return 0.0
        smoothing = self._criterion.label_smoothing
        shares = (1 - smoothing) * shares + smoothing / len(shares)
        return float(torch.special.entr(shares).sum())
