"""What charts of accuracy against a quantity have in common: curves of points with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.problems import ACCURACY

Point = dict[str, Any]


def point(series: str, x: float, accuracy: Spread, **told: str) -> Point:
    """A point of a curve.

    Args:
        series: The curve it belongs to.
        x: Where it is, above 0.
        accuracy: In percent.
        told: What else its tooltip tells, by title.
    """
    error = accuracy.sem or 0.0
    low, high = max(0.0, accuracy.mean - error), min(100.0, accuracy.mean + error)
    return {
        "series": series,
        "x": x,
        "accuracy": accuracy.mean,
        "low": low,
        "high": high,
        "text": show_spread(accuracy, ACCURACY, in_units=True),
        **told,
    }


def curves(
    points: Sequence[Point],
    looks: Mapping[str, Mapping[str, Any]],
    x: altair.X,
    y: altair.Y,
    told: Mapping[str, str],
) -> altair.LayerChart:
    """A line for each series, a mark for each point, and one standard error to either side where there is one.

    Args:
        points: Made by :func:`point`.
        looks: Of each series, in the order of the legend: `color`, `dash` and `shape`.
        x: The axis of the field `x`.
        y: The axis of the field `accuracy`.
        told: Titles of what tooltips tell, by field.
    """
    scales = {
        key: altair.Scale(domain=list(looks), range=[look[key] for look in looks.values()])
        for key in ("color", "dash", "shape")
    }
    legend = altair.Legend(title=None, orient="top", columns=1, labelLimit=0, symbolSize=70, symbolStrokeWidth=0)
    color = altair.Color("series:N", scale=scales["color"], legend=legend)
    base = altair.Chart(altair.InlineData(list(points))).encode(x=x, color=color)
    lines = base.mark_line(strokeWidth=1.8).encode(
        y=y, strokeDash=altair.StrokeDash("series:N", scale=scales["dash"], legend=legend)
    )
    errors = base.mark_rule(strokeWidth=1.2).encode(y=altair.Y("low:Q"), y2="high:Q")
    marks = base.mark_point(size=60, filled=True, opacity=1, stroke="white", strokeWidth=0.7).encode(
        y=y,
        shape=altair.Shape("series:N", scale=scales["shape"], legend=legend),
        tooltip=[
            altair.Tooltip("series:N", title="series"),
            *(altair.Tooltip(field, title=title) for field, title in told.items()),
            altair.Tooltip("text:N", title="test accuracy (%)"),
        ],
    )
    return altair.LayerChart(layer=[errors, lines, marks])
