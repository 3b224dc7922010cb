"""Classes or numbers: what labels are, as their type says."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hypermnesia.errors import DataError

LabelKind = Literal["classes", "numbers"]
"""Kind of labels: integers are `classes`, floating-point `numbers` regression targets."""


def label_kind(labels: Tensor) -> LabelKind:
    """Return the kind of labels.

    Raises:
        DataError: They are of neither kind.

    Example:
        >>> label_kind(torch.tensor([0, 1])), label_kind(torch.tensor([0.5]))
        ('classes', 'numbers')
    """
    if labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(
            "Labels must be integers (class numbers from 0 on) or floating-point numbers (regression targets), not"
            f" {labels.dtype}; convert them first."
        )
    return "numbers" if labels.is_floating_point() else "classes"
