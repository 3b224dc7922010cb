"""Charts of several methods: accuracy on the first task, and on all tasks so far, as tasks go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.charts.chart import chart_of, height_of, in_units, task_axis, told_apart, value_scale
from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.evaluation.statistics import Spread, curve, show_spread
from hypermnesia.experiments.recorded_runs.groups import Group

_MOST_POINTS = 20
# Methods often agree exactly, so that the points of a task stand side by side, over so much of the way to the next.
_APART = 0.36


def first_task_chart(groups: Mapping[str, Group], metric: Metric) -> altair.LayerChart:
    """Chart of the accuracy on the first task after each task, a line for each group of runs, by its name."""
    return _chart(groups, [group.first_task for group in groups.values()], metric)


def average_chart(groups: Mapping[str, Group], metric: Metric) -> altair.LayerChart:
    """Chart of the average accuracy over all tasks so far, a line for each group of runs, by its name."""
    return _chart(groups, [group.average_so_far for group in groups.values()], metric)


def _chart(
    groups: Mapping[str, Group], values: Sequence[Float64[np.ndarray, "_seeds _tasks"]], metric: Metric
) -> altair.LayerChart:
    labels = list(groups)
    tasks = max(each_values.shape[1] for each_values in values)
    rows = [
        row
        for place, label, each_values in zip(np.linspace(0, 1, len(labels)), labels, values, strict=True)
        for row in _rows(label, each_values, place, metric)
    ]
    ranked = sorted(labels, key=lambda label: -metric.sign * np.nan_to_num(groups[label].average_so_far[:, -1]).mean())
    color, dash, shape = told_apart("method", labels, ranked)
    base = chart_of(rows).encode(
        x=task_axis("x", "tasks learned", tasks),
        y=altair.Y(
            "mean:Q",
            title=metric.label,
            scale=value_scale((row[end] for row in rows for end in ("mean", "low", "high")), metric),
        ),
        color=color,
    )
    line = base.mark_line(tooltip=None).encode(
        strokeDash=dash,
        strokeWidth=altair.StrokeWidth("width:Q", scale=None),
    )
    points = base.mark_point(filled=True, size=60 if tasks <= _MOST_POINTS else 12, opacity=1).encode(
        shape=shape,
        tooltip=[
            altair.Tooltip("method:N"),
            altair.Tooltip("tasks:Q", title="tasks learned"),
            altair.Tooltip("text:N", title=metric.label),
        ],
    )
    bands = (
        base.transform_filter("datum.low !== null").mark_area(opacity=0.2, tooltip=None).encode(y="low:Q", y2="high:Q")
    )
    several = any(len(each_values) > 1 for each_values in values)
    layers = [bands, line, points] if several else [line, points]
    return altair.LayerChart(layer=layers, width=520, height=height_of(len(labels)))


def _rows(label: str, shown: Float64[np.ndarray, "seeds tasks"], place: float, metric: Metric) -> list[dict[str, Any]]:
    """The points of a method, whose place among the others is from 0 to 1."""
    measured = np.flatnonzero(~np.isnan(shown).any(axis=0))
    mean, sem = curve(shown[:, measured])
    errors = np.zeros_like(mean) if sem is None else sem
    low, high = np.clip([mean - errors, mean + errors], 0, 1 if metric is ACCURACY else None)
    return [
        {
            "method": label,
            "tasks": int(task) + 1,
            "x": round(int(task) + 1 + _APART * (place - 0.5), 4),
            # Each line is thinner than the one below it, which so remains visible.
            "width": round(3.2 - 1.6 * place, 2),
            "mean": in_units(float(mean[i]), metric),
            "low": None if sem is None else in_units(float(low[i]), metric),
            "high": None if sem is None else in_units(float(high[i]), metric),
            "text": show_spread(Spread(mean[i], None if sem is None else sem[i]), metric),
        }
        for i, task in enumerate(measured)
    ]
