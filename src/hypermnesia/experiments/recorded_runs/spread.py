"""What several seeds have in common: their mean and its standard error."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64


class Spread(NamedTuple):
    """A figure over the seeds: its mean, and the standard error of that; None for a single seed."""

    mean: float
    sem: float | None


def spread(values: Sequence[float]) -> Spread | None:
    """Both; None without any value.

    Example:
        >>> spread([1.0, 3.0]), spread([])
        (Spread(mean=2.0, sem=1.0), None)
    """
    return Spread(statistics.fmean(values), sem(values)) if values else None


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


def curve(values: Float64[np.ndarray, "seeds points"]) -> tuple[Float64[np.ndarray, " points"], np.ndarray | None]:
    """Mean and standard error at each point of a curve; None instead of the latter for a single seed.

    Example:
        >>> curve(np.array([[1.0, 2.0], [3.0, 2.0]]))
        (array([2., 2.]), array([1., 0.]))
    """
    several = len(values) > 1
    return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(len(values)) if several else None
