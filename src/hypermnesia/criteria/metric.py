"""Figures by which predictions are judged, and how they are shown."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure by which predictions are judged.

    Args:
        name: Name in files and settings.
        label: Name in tables and charts, with the unit.
        factor: Factor from a value to the number shown.
        unit: Unit shown behind the number.
        decimals: Number of decimals shown.
        more_is_better: Whether a higher value is a better one.

    Example:
        >>> ACCURACY.show(0.98765), ERROR.show(0.0042)
        ('98.77 %', '0.0042')
    """

    name: str
    label: str
    factor: float
    unit: str
    decimals: int
    more_is_better: bool

    @property
    def sign(self) -> int:
        """1 or -1: times this, a higher value is a better one."""
        return 1 if self.more_is_better else -1

    def show(self, value: float) -> str:
        """Write a value as people read it."""
        return f"{self.factor * value:.{self.decimals}f}{self.unit}"


ACCURACY = Metric("accuracy", "test accuracy (%)", 100.0, " %", 2, True)
ERROR = Metric("error", "mean squared error on test data", 1.0, "", 4, False)
LOSS = Metric("loss", "loss on test data", 1.0, "", 4, False)
NAMED_METRICS = {metric.name: metric for metric in (ACCURACY, ERROR, LOSS)}
"""Metrics by name."""
