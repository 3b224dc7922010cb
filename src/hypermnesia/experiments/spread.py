"""What several seeds have in common: their mean and its standard error."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float | None:
    """Over the seeds; None without any.

    Example:
        >>> mean([1.0, 2.0]), mean([])
        (1.5, None)
    """
    return statistics.fmean(values) if values else None


def sem(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None for fewer than two seeds.

    Example:
        >>> sem([1.0, 3.0]), sem([1.0])
        (1.0, None)
    """
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
