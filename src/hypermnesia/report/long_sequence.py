"""A long sequence: each task right after it and at the end, and the time of a step; as picture, lines and JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair

from hypermnesia.analyses.long_sequence import NAME, LongSequence
from hypermnesia.experiments.rundir import RunDirectory
from hypermnesia.report.chart import png, svg
from hypermnesia.report.files import write_files

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
        title=altair.TitleParams(_title(run), subtitle=[smoothed] if smoothed else altair.Undefined)
    )


def long_sequence_lines(run: LongSequence) -> Iterator[str]:
    """What to say about it on a terminal."""
    yield _title(run)
    yield f"right after learning  {_percent(run.right_after)}"
    measured = [value for value in run.at_end if value is not None]
    if len(measured) == len(run.tasks):
        yield f"after {len(run.tasks)} tasks  {_percent(measured)}"
        yield f"largest loss of a task  {100 * (run.largest_loss or 0):.2f} points"
    else:
        yield f"Not every task was tested after task {len(run.tasks)}: see evaluation.tasks."
    if run.early_milliseconds and run.late_milliseconds:
        over = f", medians of {run.window} tasks" if run.window > 1 else ""
        early, late = f"{run.early_milliseconds:.2f} ms from task 2 on", f"{run.late_milliseconds:.2f} ms at the end"
        yield f"time of a step  {early}, {late}{over}"


def write_long_sequence(directory: RunDirectory, run: LongSequence) -> list[Path]:
    """Write long-sequence.json, .svg and .png into the run's `analyses`; returns their paths.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    directory.analyses.mkdir(exist_ok=True)
    chart = long_sequence_chart(run)
    contents = {"json": _json(run), "svg": svg(chart), "png": png(chart)}
    return write_files(directory.analyses, NAME, contents)


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


def _title(run: LongSequence) -> str:
    number = len(run.tasks)
    return f"{run.title}, " + (
        f"{number} tasks" if number == run.planned else f"{number} of {run.planned} tasks so far"
    )


def _percent(values: tuple[float, ...] | list[float]) -> str:
    return f"{100 * sum(values) / len(values):.2f} %, lowest {100 * min(values):.2f} %"


def _json(run: LongSequence) -> bytes:
    derived = ("window", "early_milliseconds", "late_milliseconds", "largest_loss")
    values = dataclasses.asdict(run) | {name: getattr(run, name) for name in derived}
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()
