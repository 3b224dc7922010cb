"""What is measured of a task, as charts and tables show it."""

from __future__ import annotations

from collections.abc import Iterable

from hypermnesia.problems import Metric


def in_units(value: float, metric: Metric) -> float:
    """For a chart: enough digits, and no more.

    Example:
        >>> from hypermnesia.problems import ACCURACY
        >>> in_units(0.97541, ACCURACY)
        97.541
    """
    return round(metric.factor * value, metric.decimals + 2)


def difference(what: str, metrics: Iterable[Metric]) -> str:
    """The label of a difference of measured values, with their unit.

    Example:
        >>> from hypermnesia.problems import ACCURACY, ERROR
        >>> difference("forgetting", [ACCURACY]), difference("forgetting", [ERROR])
        ('forgetting (%)', 'forgetting')
    """
    units = {metric.unit.strip() for metric in metrics} - {""}
    return f"{what} ({', '.join(units)})" if units else what


def labels(metrics: Iterable[Metric]) -> str:
    """Of a column that holds all of these.

    Example:
        >>> from hypermnesia.problems import ACCURACY, ERROR
        >>> labels([ACCURACY, ERROR, ACCURACY])
        'test accuracy (%) or mean squared error on test data'
    """
    return " or ".join(dict.fromkeys(metric.label for metric in metrics))
