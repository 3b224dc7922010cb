"""Fall of the learning rate when a metric on validation examples stops getting better."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hypermnesia.training.settings import Plateau


class PlateauFactor:
    """Factor of the learning rate that falls when measurements stop getting better.

    Args:
        settings: Settings of the fall.
        learning_rate: Learning rate to which the factor belongs, and the least rate of the settings.
        more_is_better: Whether a higher measurement is a better one.

    Example:
        >>> factor = PlateauFactor(Plateau(factor=0.5, patience=1), learning_rate=1e-3, more_is_better=True)
        >>> for accuracy in (0.5, 0.4, 0.5):
        ...     factor.measured(accuracy)
        >>> factor.value
        0.5
    """

    _KEPT = ("best", "num_bad_epochs")

    def __init__(self, settings: Plateau, learning_rate: float, more_is_better: bool) -> None:
        # torch's scheduler moves the rate of an optimizer; this one has the rate 1 and nothing to optimize.
        self._optimizer = SGD([torch.zeros(1)], lr=1.0)
        self._scheduler = ReduceLROnPlateau(
            self._optimizer,
            mode="max" if more_is_better else "min",
            factor=settings.factor,
            patience=settings.patience,
            min_lr=min(1.0, settings.least_rate / learning_rate),
        )
        self._measured = False

    @property
    def value(self) -> float:
        """Factor as it is now."""
        return float(self._optimizer.param_groups[0]["lr"])

    def measured(self, value: float) -> None:
        """Take one more measurement into account."""
        self._scheduler.step(value)
        self._measured = True

    def state_dict(self) -> dict[str, Any]:
        """Return the state, JSON values by name; before the first measurement there is none."""
        if not self._measured:
            return {}
        return {"value": self.value, **{name: getattr(self._scheduler, name) for name in self._KEPT}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` returned."""
        if state:
            self._optimizer.param_groups[0]["lr"] = state["value"]
            for name in self._KEPT:
                setattr(self._scheduler, name, state[name])
            self._measured = True
