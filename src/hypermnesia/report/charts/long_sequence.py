"""A picture of a long sequence: each task right after it and at the end, and the time of a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair

from hypermnesia.analyses.long_sequence import LongSequence

_RIGHT_AFTER = "right after learning it"
_TIME = "time of a step (ms)"


def long_sequence_chart(run: LongSequence) -> altair.VConcatChart:
    """Accuracy of each task right after it and after the newest, above the time of a step in it.

    Args:
        run: Points are tasks, lines moving averages; of fewer than twenty tasks, lines connect the points.
    """
    x = altair.X("task:Q", title="task", axis=altair.Axis(tickMinStep=1, format="d", grid=False))
    x = x.scale(domain=[0.5, len(run.tasks) + 0.5], nice=False)
    accuracy = altair.Y("value:Q", title="test accuracy (%)").scale(zero=False)
    milliseconds = altair.Y("value:Q", title=_TIME).scale(zero=True)
    color = altair.Color(
        "series:N",
        scale=altair.Scale(domain=[_at_end(run), _RIGHT_AFTER, _TIME]),
        legend=altair.Legend(title=None, orient="top", labelLimit=0, values=[_RIGHT_AFTER, _at_end(run)]),
    )
    above = _panel(run, list(_accuracies(run)), x, accuracy, color, 240)
    below = _panel(run, list(_times(run)), x, milliseconds, color, 130)
    smoothed = f"lines: moving average over {run.window} tasks; points: tasks" if run.window > 1 else ""
    return altair.vconcat(above, below, spacing=14).properties(
        title=altair.TitleParams(run.caption, subtitle=[smoothed] if smoothed else altair.Undefined)
    )


def _panel(
    run: LongSequence,
    points: list[dict[str, Any]],
    x: altair.X,
    y: altair.Y,
    color: altair.Color,
    height: int,
) -> altair.LayerChart:
    base = altair.Chart(altair.InlineData(points)).encode(x=x, y=y, color=color)
    tooltip = [
        altair.Tooltip("name:N", title="task"),
        altair.Tooltip("series:N", title="measured"),
        altair.Tooltip("value:Q", format=".2f"),
    ]
    marks = base.mark_circle(size=30, opacity=0.5 if run.window > 1 else 1).encode(tooltip=tooltip)
    reach = run.window // 2
    lines = base.transform_window(
        value="mean(value)", frame=[-reach, reach], groupby=["series"], sort=[altair.SortField("task")]
    )
    return altair.LayerChart(layer=[marks, lines.mark_line(strokeWidth=2)], width=560, height=height)


def _accuracies(run: LongSequence) -> Iterator[dict[str, Any]]:
    for task, name in enumerate(run.tasks):
        for series, value in ((_RIGHT_AFTER, run.right_after[task]), (_at_end(run), run.at_end[task])):
            if value is not None:
                yield {"task": task + 1, "name": name, "series": series, "value": 100 * value}


def _times(run: LongSequence) -> Iterator[dict[str, Any]]:
    for task, (name, milliseconds) in enumerate(zip(run.tasks, run.milliseconds, strict=True)):
        yield {"task": task + 1, "name": name, "series": _TIME, "value": milliseconds}


def _at_end(run: LongSequence) -> str:
    return f"after all {len(run.tasks)} tasks" if len(run.tasks) == run.planned else f"after {len(run.tasks)} tasks"
