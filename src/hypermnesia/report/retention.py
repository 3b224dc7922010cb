"""What became of each task: a picture of accuracy right after learning it and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.experiments import spread
from hypermnesia.report import measure
from hypermnesia.report.measure import in_units
from hypermnesia.report.task_axis import task_axis

_WHEN = ["right after learning", "after the last task"]
_MOST_BARS = 30  # tasks of which standard errors are drawn


def retention_chart(
    matrices: Float64[np.ndarray, "seeds learned tasks"], names: Sequence[str] | None = None
) -> altair.LayerChart:
    """Accuracy on each task right after learning it and after the last task learned, a line from one to the other.

    Points are means over seeds, with bars of one standard error to either side.

    Args:
        matrices: Row = after task i, column = task j, in [0, 1]; diagonal and last row must be there.
        names: Of the tasks; None calls them by their number.
    """
    learned = matrices.shape[1]
    names = names or [f"task {number}" for number in range(1, learned + 1)]
    ends = (np.diagonal(matrices, axis1=1, axis2=2), matrices[:, -1, :learned])
    points = [point for when, values in zip(_WHEN, ends, strict=True) for point in _points(when, values, names)]
    x = task_axis("task", "task", learned)
    lines = [
        {"task": task + 1, "from": in_units(early), "to": in_units(late)}
        for task, (early, late) in enumerate(zip(*(spread.curve(values)[0] for values in ends), strict=True))
    ]
    scale = altair.Scale(zero=False, nice=True)
    way = (
        altair.Chart(altair.InlineData(lines))
        .mark_rule(opacity=0.6, tooltip=None)
        .encode(x=x, y=altair.Y("from:Q", title=measure.LABEL, scale=scale), y2="to:Q")
    )
    when = altair.Color("when:N", title=None, scale=altair.Scale(domain=_WHEN), legend=altair.Legend(orient="top"))
    base = altair.Chart(altair.InlineData(points)).encode(x=x, color=when)
    marks = base.mark_point(filled=True, size=70 if learned <= _MOST_BARS else 25, opacity=1).encode(
        y=altair.Y("accuracy:Q", title=measure.LABEL, scale=scale),
        shape=altair.Shape("when:N", title=None, scale=altair.Scale(domain=_WHEN, range=["circle", "diamond"])),
        tooltip=[
            altair.Tooltip("name:N", title="task"),
            altair.Tooltip("when:N", title="tested"),
            altair.Tooltip("text:N", title=measure.LABEL),
        ],
    )
    layers = [way, marks]
    if len(matrices) > 1 and learned <= _MOST_BARS:
        layers.insert(1, base.mark_rule(strokeWidth=2, tooltip=None).encode(y="low:Q", y2="high:Q"))
    return altair.LayerChart(layer=layers, width=520, height=260)


def _points(when: str, values: Float64[np.ndarray, "seeds tasks"], names: Sequence[str]) -> list[dict[str, Any]]:
    mean, sem = spread.curve(values)
    errors = np.zeros_like(mean) if sem is None else sem
    return [
        {
            "task": task + 1,
            "name": names[task],
            "when": when,
            "accuracy": in_units(mean[task]),
            "low": in_units(mean[task] - errors[task]),
            "high": in_units(mean[task] + errors[task]),
            "text": measure.text(spread.Spread(mean[task], None if sem is None else sem[task])),
        }
        for task in range(len(mean))
    ]
