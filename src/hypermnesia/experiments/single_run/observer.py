"""Who watches a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hypermnesia.training.monitor import Progress


@runtime_checkable
class Observer(Protocol):
    """Shows a run to somebody while it happens; nothing a run computes depends on it.

    Tasks are counted from 0.
    """

    def note(self, text: str) -> None:
        """Something worth a sentence, as that a damaged checkpoint was passed over."""

    def learning(self, task: int, progress: Progress) -> None:
        """A step was made. Called after every one, so look at `progress.scalars` rarely."""

    def evaluating(self, after: int, task: int) -> None:
        """How well `task` is answered is about to be measured, `after` being the newest one."""

    def evaluated(self, after: int, row: Sequence[float | None]) -> None:
        """All accuracies after a task are measured."""
