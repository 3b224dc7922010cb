"""Comparing and copying nested states."""

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


def snapshot(node: Any) -> Any:
    """The state as it is now, whatever becomes of its tensors."""
    if isinstance(node, torch.Tensor):
        return node.detach().clone()
    if isinstance(node, dict):
        return {key: snapshot(value) for key, value in node.items()}
    return [snapshot(value) for value in node] if isinstance(node, list) else node
