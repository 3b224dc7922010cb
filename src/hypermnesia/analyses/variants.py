"""Shared parts of studies of many runs: accuracies of variants of an experiment, and how they are told and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from hypermnesia.charts.chart import chart_of
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.recorded_runs.groups import Group

Point = dict[str, Any]


def check_classes(base: Base) -> None:
    """Refuse a regression: what is compared are accuracies.

    Raises:
        ConfigurationError: The experiment is one.
    """
    if base.experiment.labels != "classes":
        raise ConfigurationError(f"{base.source} is a regression; accuracies are of classes, as in split-digits.")


def title_of(base: Base, seeds: int) -> str:
    """Title of a chart: experiment, scenario and number of seeds."""
    number = f"{seeds} seeds" if seeds > 1 else "one seed"
    return f"{base.experiment.name}, {base.experiment.scenario}-incremental, {number}"


def seeds_of(found: Sequence[Group], wanted: int) -> str:
    """Number of seeds of the group that has the fewest, and how many were asked for, if more.

    Example:
        >>> seeds_of([Group("small")], wanted=2)
        '0 of 2'
    """
    number = min(each.seeds for each in found)
    return f"{number}" if number == wanted else f"{number} of {wanted}"


def changes_of(base: Base) -> list[str]:
    """A sentence about the user's changes, if there are any."""
    return [f"All ran with {' '.join(base.changed)}."] if base.changed else []


def point(series: str, x: float, accuracy: Spread, **told: str) -> Point:
    """Point of a curve.

    Args:
        series: The curve it belongs to.
        x: Where it is, above 0.
        accuracy: Mean over seeds in [0, 1], and its standard error.
        told: What else its tooltip tells, by title.
    """
    mean, error = 100 * accuracy.mean, 100 * (accuracy.sem or 0.0)
    low, high = max(0.0, mean - error), min(100.0, mean + error)
    return {
        "series": series,
        "x": x,
        "accuracy": mean,
        "low": low,
        "high": high,
        "text": show_spread(accuracy, ACCURACY),
        **told,
    }


def mark_across(x: float, text: str) -> tuple[altair.Chart, altair.Chart]:
    """Dashed line across a chart at a place on its axis of `x`, and the text above it."""
    base = chart_of([{"x": x, "text": text}]).encode(x="x:Q")
    rule = base.mark_rule(strokeDash=[2, 3], color="#777777")
    return rule, base.mark_text(baseline="bottom", dy=-3, color="#777777").encode(y=altair.value(0), text="text:N")


def curves(
    points: Sequence[Point], looks: Mapping[str, Mapping[str, Any]], x: altair.X, y: altair.Y, told: Mapping[str, str]
) -> altair.LayerChart:
    """Chart with a line for each series, a mark for each point, and one standard error to either side.

    Args:
        points: Points made by :func:`point`.
        looks: `color`, `dash` and `shape` of each series, in the order of the legend.
        x: Axis of the field `x`.
        y: Axis of the field `accuracy`.
        told: Titles of further texts in tooltips, by field.
    """
    scales = {
        key: altair.Scale(domain=list(looks), range=[look[key] for look in looks.values()])
        for key in ("color", "dash", "shape")
    }
    legend = altair.Legend(title=None, orient="top", columns=1, labelLimit=0, symbolSize=70, symbolStrokeWidth=0)
    color = altair.Color("series:N", scale=scales["color"], legend=legend)
    base = chart_of(list(points)).encode(x=x, color=color)
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
