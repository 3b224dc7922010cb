"""Figures over several seeds: their mean and its standard error, and long curves as short ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermnesia.criteria import Metric


class Spread(NamedTuple):
    """Mean of a figure over seeds and the standard error of that mean, which is None for a single seed."""

    mean: float
    sem: float | None


def spread(values: Sequence[float]) -> Spread | None:
    """Mean over seeds and its standard error; None without any value.

    Example:
        >>> spread([1.0, 3.0]), spread([])
        (Spread(mean=2.0, sem=1.0), None)
    """
    return Spread(statistics.fmean(values), sem(values)) if values else None


def mean(values: Sequence[float]) -> float | None:
    """Mean over seeds; None without any value.

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


def show_spread(figure: Spread | None, metric: Metric) -> str:
    """Mean and standard error as people read them, without the unit; an empty text for None.

    Args:
        figure: Figure over seeds.
        metric: Metric whose unit and decimals are shown.

    Example:
        >>> from hypermnesia.criteria import ACCURACY
        >>> show_spread(Spread(0.9754, 0.002), ACCURACY), show_spread(Spread(0.9754, None), ACCURACY)
        ('97.54 ± 0.20', '97.54')
    """
    if figure is None:
        return ""
    return " ± ".join(f"{metric.factor * value:.{metric.decimals}f}" for value in figure if value is not None)


def curve(values: Float64[np.ndarray, "seeds points"]) -> tuple[Float64[np.ndarray, " points"], np.ndarray | None]:
    """Mean and standard error at each point of a curve; None instead of the latter for a single seed.

    Example:
        >>> curve(np.array([[1.0, 2.0], [3.0, 2.0]]))
        (array([2., 2.]), array([1., 0.]))
    """
    several = len(values) > 1
    return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(len(values)) if several else None


def thinned(values: Float64[np.ndarray, "curves points"], most: int) -> Float64[np.ndarray, "curves fewer"]:
    """Means of as many neighboring points as it takes to leave no more than `most`, so that a picture stays small.

    Args:
        values: Curves with the same points.
        most: Number of points to leave; shorter curves stay as they are.

    Example:
        >>> thinned(np.array([[1.0, 3.0, 5.0, 7.0, 9.0]]), most=3)
        array([[2., 6., 9.]])
    """
    points = values.shape[1]
    if points <= most:
        return values
    size = -(-points // most)
    starts = np.arange(0, points, size)
    counts = np.diff(np.append(starts, points))
    means: Float64[np.ndarray, "curves fewer"] = np.add.reduceat(values, starts, axis=1) / counts
    return means
