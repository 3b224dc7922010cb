"""Chart of the accuracy on each task right after learning it and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.charts.chart import chart_of, means, task_axis, value_scale
from hypermnesia.criteria import Metric

_WHEN = ["right after learning", "after the last task"]
_APART = 0.12  # of both points of a task, which often agree, from the middle between them
_MOST_BARS = 30  # tasks of which standard errors are drawn
_ENDS = ("value", "low", "high")


def retention_chart(
    matrices: Float64[np.ndarray, "seeds learned tasks"], metric: Metric, names: Sequence[str] | None = None
) -> altair.LayerChart:
    """Accuracy or error on each task right after learning it and after the last task, a line from one to the other.

    Points are means over seeds, with bars of one standard error to either side.

    Args:
        matrices: Accuracies or errors; row = after task i, column = task j; diagonal and last row must be there.
        metric: Metric of the values.
        names: Names of the tasks; None calls them by their number.
    """
    learned = matrices.shape[1]
    names = names or [f"task {number}" for number in range(1, learned + 1)]
    early, late = np.diagonal(matrices, axis1=1, axis2=2), matrices[:, -1, :learned]
    points = [*_points(0, early, metric, names), *_points(1, late, metric, names)]
    scale = value_scale((each[end] for each in points for end in _ENDS), metric)
    base = chart_of(points).encode(
        x=task_axis("x", "task", learned),
        color=altair.Color("when:N", title=None, scale=altair.Scale(domain=_WHEN), legend=altair.Legend(orient="top")),
    )
    marks = base.mark_point(filled=True, size=70 if learned <= _MOST_BARS else 25, opacity=1).encode(
        y=altair.Y("value:Q", title=metric.label, scale=scale),
        shape=altair.Shape("when:N", title=None, scale=altair.Scale(domain=_WHEN, range=["circle", "diamond"])),
        tooltip=[
            altair.Tooltip("name:N", title="task"),
            altair.Tooltip("when:N", title="tested"),
            altair.Tooltip("text:N", title=metric.label),
        ],
    )
    layers = [_ways(early, late, metric, scale), marks]
    if len(matrices) > 1 and learned <= _MOST_BARS:
        layers.insert(1, base.mark_rule(strokeWidth=2, tooltip=None).encode(y="low:Q", y2="high:Q"))
    return altair.LayerChart(layer=layers, width=520, height=260)


def _ways(
    early: Float64[np.ndarray, "seeds tasks"],
    late: Float64[np.ndarray, "seeds tasks"],
    metric: Metric,
    scale: altair.Scale,
) -> altair.Chart:
    """From the first point of each task to its second."""
    ends = zip(means(early, metric)["value"], means(late, metric)["value"], strict=True)
    rows = [
        {"left": task - _APART, "right": task + _APART, "from": first, "to": second}
        for task, (first, second) in enumerate(ends, start=1)
    ]
    chart: altair.Chart = chart_of(rows).mark_rule(opacity=0.6, tooltip=None)
    return chart.encode(
        x=task_axis("left", "task", early.shape[1]),
        x2="right:Q",
        y=altair.Y("from:Q", title=metric.label, scale=scale),
        y2="to:Q",
    )


def _points(
    end: int, values: Float64[np.ndarray, "seeds tasks"], metric: Metric, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Those right after learning (0) or after the last task (1)."""
    shown = means(values, metric)
    return [
        {
            "x": task + 1 + _APART * (2 * end - 1),
            "name": names[task],
            "when": _WHEN[end],
            **{name: texts[task] for name, texts in shown.items()},
        }
        for task in range(values.shape[1])
    ]
