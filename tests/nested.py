"""Comparing nested states."""

from typing import Any

import torch


def equal(one: Any, other: Any) -> bool:
    """Bit for bit, whatever is nested in whatever."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other
