"""What is measured of a task, and how it is called wherever it is shown."""

from __future__ import annotations

from hypermnesia.experiments.spread import Spread

NAME = "test accuracy"
UNIT = "%"
LABEL = f"{NAME} ({UNIT})"
"""Of axes and columns."""

RANGE = (0, 100)
"""From the worst to the best, in units."""

_SCALE = 100


def in_units(accuracy: float) -> float:
    """For a chart: enough digits, and no more.

    Example:
        >>> in_units(0.97541)
        97.541
    """
    return round(_SCALE * accuracy, 4)


def text(spread: Spread | None) -> str:
    """For a table, empty where there is nothing.

    Example:
        >>> text(Spread(0.9754, 0.002)), text(Spread(0.9754, None))
        ('97.54 ± 0.20', '97.54')
    """
    if spread is None:
        return ""
    return f"{_SCALE * spread.mean:.2f}" + ("" if spread.sem is None else f" ± {_SCALE * spread.sem:.2f}")
