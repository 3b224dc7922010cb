"""Quantities and metrics as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from hypermnesia.criteria import Metric


def duration(seconds: float | int | None) -> str:
    """Duration in hours, minutes and seconds; empty for None.

    Args:
        seconds: Duration in seconds.

    Example:
        >>> duration(3723), duration(83.4), duration(0.5), duration(None)
        ('1 h 2 min', '1 min 23 s', '0.5 s', '')
    """
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def unit_of(most: float) -> tuple[str, int]:
    """Unit in which amounts of memory of up to `most` bytes are shown beside each other, and its bytes.

    Example:
        >>> unit_of(2384), unit_of(5 * 2**20)
        (('KiB', 1024), ('MiB', 1048576))
    """
    return ("MiB", 2**20) if most >= 2**20 else ("KiB", 2**10)


def size(number: float | int | None, most: float | int | None = None) -> str:
    """Amount of memory in KiB or MiB; empty for None.

    Args:
        number: Number of bytes.
        most: The largest amount that stands beside it, whose unit it has, too; None: none does.

    Example:
        >>> size(2384), size(5 * 2**20), size(2384, 5 * 2**20)
        ('2.33 KiB', '5.00 MiB', '0.00227 MiB')
    """
    if number is None:
        return ""
    unit, of = unit_of(number if most is None else most)
    value = number / of
    least = 2 if not 0 < abs(value) < 0.1 else 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{least if abs(value) < 10 else 1 if abs(value) < 100 else 0}f} {unit}"


def numbers(values: Iterable[int]) -> str:
    """Whole numbers, of which three or more in a row stand as the first and the last.

    Example:
        >>> numbers([0, 1, 2, 3, 7, 9, 10])
        '0 to 3, 7, 9, 10'
    """
    rows: list[list[int]] = []
    for value in sorted(set(values)):
        if rows and value == rows[-1][-1] + 1:
            rows[-1].append(value)
        else:
            rows.append([value])
    return ", ".join(f"{row[0]} to {row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in rows)


def number(value: float | int | None, form: str) -> str:
    """Number in a format; empty for None.

    Args:
        value: Number.
        form: Format specification, as ".3f".

    Example:
        >>> number(0.97994, ".3f"), number(None, ".3f")
        ('0.980', '')
    """
    return "" if value is None else format(value, form)


def plain(value: Any) -> str:
    """Value of a setting as text.

    Example:
        >>> plain(None), plain(True), plain([400, 400])
        ('none', 'true', '[400, 400]')
    """
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def difference(what: str, metrics: Iterable[Metric]) -> str:
    """Label of a difference of values of these metrics, with their unit.

    Example:
        >>> from hypermnesia.criteria import ACCURACY, ERROR
        >>> difference("forgetting", [ACCURACY]), difference("forgetting", [ERROR])
        ('forgetting (%)', 'forgetting')
    """
    units = {metric.unit.strip() for metric in metrics} - {""}
    return f"{what} ({', '.join(units)})" if units else what


def labels(metrics: Iterable[Metric]) -> str:
    """Label of a column that holds values of all these metrics.

    Example:
        >>> from hypermnesia.criteria import ACCURACY, ERROR
        >>> labels([ACCURACY, ERROR, ACCURACY])
        'test accuracy (%) or mean squared error on test data'
    """
    return " or ".join(dict.fromkeys(metric.label for metric in metrics))
