"""Ending a task when a metric on validation examples stops getting better, with the best of what was learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hypermnesia.training.objective import Objective
from hypermnesia.training.settings import EarlyStopping


class BestSoFar:
    """Best measurement so far and, where settings ask for it, a copy of all that had been learned then.

    Args:
        settings: Settings of patience, and whether to keep a copy.
        objective: Objective whose parameters and statistics are copied: one more copy in memory.
        more_is_better: Whether a higher measurement is a better one.
    """

    def __init__(self, settings: EarlyStopping, objective: Objective, more_is_better: bool) -> None:
        self._settings, self._objective = settings, objective
        self._sign = 1 if more_is_better else -1
        self._best: float | None = None
        self._since = 0  # measurements that were no better
        self._kept: list[Tensor] | None = None

    @property
    def is_over(self) -> bool:
        """Whether there have been as many measurements without a new best one as patience lets pass."""
        return self._since >= self._settings.patience

    def measured(self, value: float) -> None:
        """Take one more measurement into account."""
        if self._best is None or self._sign * (value - self._best) > self._settings.min_delta:
            self._best, self._since = value, 0
            if self._settings.restore_best:
                self._kept = [tensor.detach().clone() for tensor in self._learned()]
        else:
            self._since += 1

    @torch.no_grad()
    def restore(self) -> None:
        """Go back to what had been learned at the best measurement, if anything was measured and is to be restored."""
        for tensor, kept in zip(self._learned(), self._kept, strict=True) if self._kept is not None else ():
            tensor.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """Return the state: JSON values and tensors by name."""
        return {"best": self._best, "since": self._since, "kept": self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` returned."""
        self._best, self._since, kept = state["best"], state["since"], state["kept"]
        if kept is not None:
            pairs = zip(kept, self._learned(), strict=True)
            self._kept = [tensor.to(learned.device, copy=True) for tensor, learned in pairs]

    def _learned(self) -> list[Tensor]:
        trained = [parameter for parameter in self._objective.parameters() if parameter.requires_grad]
        return [*trained, *self._objective.statistics()]
