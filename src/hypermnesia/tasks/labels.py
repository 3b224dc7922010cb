"""Labels as learners take them: class numbers from 0 on, or regression targets."""

from __future__ import annotations

import torch
from torch import Tensor

from hypermnesia.criteria import LabelKind, Targets, label_kind
from hypermnesia.errors import DataError


def targets_of(labels: Tensor) -> tuple[Targets, LabelKind]:
    """Return class numbers `[n]` as int64, or regression targets `[n, targets]`; and which kind they are."""
    kind = label_kind(labels)
    most = 2 if kind == "numbers" else 1
    if not 1 <= labels.ndim <= most:
        raise DataError(
            f"Labels have shape {list(labels.shape)}: class numbers must have shape [n], one for each of the n inputs,"
            " and regression targets [n] or [n, targets]."
        )
    if kind == "numbers":
        labels = labels if labels.ndim == 2 else labels[:, None]
        if bool((wrong := ~labels.isfinite().all(1)).any()):
            raise DataError(
                f"Labels must be finite numbers, but example {int(wrong.nonzero()[0, 0])}, counted from 0, has"
                f" {labels[wrong][0].tolist()}: leave such examples out, or replace the numbers."
            )
        return labels, kind
    return labels.to(torch.int64), kind


def check_from_zero(smallest: int) -> None:
    """Refuse classes by the smallest of their numbers."""
    if smallest < 0:
        raise DataError(f"Labels must be class numbers from 0 on, but the smallest is {smallest}.")
