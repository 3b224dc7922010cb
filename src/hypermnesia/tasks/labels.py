"""Labels as learners take them: class numbers from 0 on, or regression targets."""

from __future__ import annotations

import torch
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.problems import REGRESSION, Problem, Targets, problem_of


def targets_of(labels: Tensor) -> tuple[Targets, Problem]:
    """Return class numbers `[n]` as int64, or regression targets `[n, targets]`; and the problem they belong to."""
    problem = problem_of(labels)
    most = 2 if problem is REGRESSION else 1
    if not 1 <= labels.ndim <= most:
        raise DataError(
            f"Labels have shape {list(labels.shape)}: class numbers must have shape [n], one for each of the n inputs,"
            " and regression targets [n] or [n, targets]."
        )
    if problem is REGRESSION:
        labels = labels if labels.ndim == 2 else labels[:, None]
        if bool((wrong := ~labels.isfinite().all(1)).any()):
            raise DataError(
                f"Labels must be finite numbers, but example {int(wrong.nonzero()[0, 0])}, counted from 0, has"
                f" {labels[wrong][0].tolist()}: leave such examples out, or replace the numbers."
            )
        return labels, problem
    return labels.to(torch.int64), problem


def check_from_zero(smallest: int) -> None:
    """Refuse classes by the smallest of their numbers."""
    if smallest < 0:
        raise DataError(f"Labels must be class numbers from 0 on, but the smallest is {smallest}.")
