"""Labels as learners take them: classes, of inputs or of their elements, or numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from hypermnesia.criteria import LabelKind, Targets, label_kind
from hypermnesia.errors import DataError


def targets_of(labels: Tensor) -> tuple[Targets, LabelKind]:
    """Return classes `[n, ...]` as int64, or numbers `[n, targets, ...]`; and which of both they are."""
    kind = label_kind(labels)
    if labels.ndim == 0:
        raise DataError(
            "Labels have shape []: they must have shape [n, ...], one for each of the n inputs, or as many as it has"
            " elements or outputs."
        )
    if kind == "classes":
        return labels.to(torch.int64), kind
    labels = labels if labels.ndim > 1 else labels[:, None]
    if bool((wrong := ~labels.isfinite().flatten(1).all(1)).any()):
        number = int(wrong.nonzero()[0, 0])
        told = f"{labels[number].tolist()}" if labels[number].numel() < _SHOWN else "some that are none"
        raise DataError(
            f"Labels must be finite numbers, but example {number}, counted from 0, has {told}: leave such examples out,"
            " or replace the numbers."
        )
    return labels, kind


_SHOWN = 10


def count_outputs(labels: Targets, kind: LabelKind) -> int | None:
    """Return how many outputs labels ask for; None where that depends on what they are learned by.

    That is the case for classes of elements, of which some numbers may mean that there is none.

    Raises:
        DataError: Labels of whole inputs are no class numbers from 0 on.
    """
    if kind == "numbers":
        return labels.shape[1]
    if labels.ndim > 1:
        return None
    low, high = (int(bound) for bound in torch.aminmax(labels))
    check_from_zero(low)
    return high + 1


def check_from_zero(smallest: int) -> None:
    """Refuse classes by the smallest of their numbers."""
    if smallest < 0:
        raise DataError(f"Labels must be class numbers from 0 on, but the smallest is {smallest}.")
