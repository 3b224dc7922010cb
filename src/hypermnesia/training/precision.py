"""Precision of a network's forward pass."""

from __future__ import annotations

import torch


def forward_precision(precision: str, device: torch.device) -> torch.autocast:
    """Return the context manager of a forward pass in `float32` or `bfloat16`; weights stay float32 either way.

    Example:
        >>> linear = torch.nn.Linear(2, 2)
        >>> with forward_precision("bfloat16", torch.device("cpu")):
        ...     linear(torch.zeros(1, 2)).dtype
        torch.bfloat16
    """
    # Without its cache, which would outlive the weights that a graph captures.
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)
