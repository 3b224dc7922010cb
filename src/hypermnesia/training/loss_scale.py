"""Scaling of losses, so that gradients do not vanish in half precision."""

from __future__ import annotations

from typing import Any

import torch
from torch.amp import GradScaler
from torch.optim import Optimizer


class LossScale:
    """Factor of losses while float16 gradients are computed: it falls when they overflow, and grows when they do not.

    A step whose gradients have overflowed adds nothing.

    Args:
        device: Device of the computation.

    Attributes:
        overflowed: Whether the newest gradients have overflowed.

    Example:
        >>> LossScale(torch.device("cpu")).value
        65536.0
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._scaler = GradScaler(device.type)
        self.overflowed = False

    @property
    def value(self) -> float:
        """Factor as it is now."""
        return float(self._scaler.scale(torch.ones((), device=self._device)))

    def take_out(self, optimizer: Optimizer) -> None:
        """Divide all gradients of an optimizer by the factor; where some have overflowed, all become zeros."""
        self._scaler.unscale_(optimizer)
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.overflowed = not all(bool(gradient.isfinite().all()) for gradient in gradients)
        if self.overflowed:
            torch._foreach_zero_(gradients)

    def update(self) -> None:
        """Let the factor fall or grow, after a step."""
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, JSON values by name."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` returned."""
        self._scaler.load_state_dict(state)
