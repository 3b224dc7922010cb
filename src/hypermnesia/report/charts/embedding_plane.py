"""A picture of test accuracy over a plane of embeddings: one panel a task."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import altair
import numpy as np

from hypermnesia.analyses.embedding_plane import TOLERANCE, AccuracyOverPlane, TaskOnPlane
from hypermnesia.report.charts.chart import COLORS, SEQUENTIAL

_SIDE = 190
_OVERLAP = 0.15  # of a cell with the next: without it, white hairlines show between them
_MOST_NUMBERED = 12  # learned embeddings with their numbers beside them


def embedding_plane_chart(result: AccuracyOverPlane) -> altair.ConcatChart:
    """Accuracy as color, one panel for each task; learned embeddings are marked, that of the panel's task in orange."""
    panels = [_panel(result, task) for task in result.tasks]
    shown = "" if len(panels) == len(result.learned) else f"; {len(panels)} of {len(result.learned)} tasks"
    return altair.concat(*panels, columns=min(3, math.ceil(math.sqrt(len(panels))))).properties(
        title=altair.TitleParams(
            f"{result.run}: accuracy of the network generated from any embedding",
            subtitle=[
                f"up to {result.examples} test images of each task{shown}",
                _meaning(result),
            ],
        )
    )


def _meaning(result: AccuracyOverPlane) -> str:
    if result.explained is None:
        return "numbers: learned embeddings; orange: that of the panel's task"
    return "each panel: the plane through its task's embedding (orange), along the principal axes; others projected"


def embedding_plane_text(result: AccuracyOverPlane) -> Iterator[str]:
    """A line for each task, below a head."""
    yield f"{'task':>4}  {'at its embedding':>16}  {f'within {100 * TOLERANCE:g} point of it':>20}"
    for task in result.tasks:
        yield f"{task.number:>4}  {100 * task.at_embedding:>14.2f} %  {100 * task.remembered:>7.1f} % of the plane"


def _panel(result: AccuracyOverPlane, task: TaskOnPlane) -> altair.LayerChart | altair.FacetChart:
    rows = altair.Chart(altair.InlineData(list(_cells(result, task))))
    cells = rows.transform_flatten(["x", "left", "right", "accuracy"]).mark_rect(aria=False, clip=True)
    scale = altair.Scale(scheme=SEQUENTIAL, domain=[0, 100])
    surface = cells.encode(
        x=altair.X("left:Q", title=_axis(result, 0), scale=_scale(result.x)),
        x2="right:Q",
        y=altair.Y("below:Q", title=_axis(result, 1), scale=_scale(result.y)),
        y2="above:Q",
        color=altair.Color("accuracy:Q", title="accuracy (%)", scale=scale),
        tooltip=[
            altair.Tooltip("x:Q", title=_axis(result, 0), format=".3f"),
            altair.Tooltip("y:Q", title=_axis(result, 1), format=".3f"),
            altair.Tooltip("accuracy:Q", title="accuracy (%)", format=".1f"),
        ],
    )
    return altair.layer(surface, *_marks(result, task)).properties(
        width=_SIDE, height=_SIDE, title=f"task {task.number}: {task.name}"
    )


def _cells(result: AccuracyOverPlane, task: TaskOnPlane) -> Iterator[dict[str, Any]]:
    """A row of the plane as one entry, which makes a page with many of them a quarter as long."""
    width, height = ((places[1] - places[0]) for places in (result.x, result.y))
    across = {
        "x": [round(x, 4) for x in result.x],
        "left": [round(x - width / 2, 4) for x in result.x],
        "right": [round(x + (0.5 + _OVERLAP) * width, 4) for x in result.x],
    }
    for y, row in zip(result.y, task.accuracy, strict=True):
        yield across | {
            "y": round(y, 4),
            "below": round(y - height / 2, 4),
            "above": round(y + (0.5 + _OVERLAP) * height, 4),
            "accuracy": [round(100 * accuracy, 2) for accuracy in row],
        }


def _marks(result: AccuracyOverPlane, task: TaskOnPlane) -> tuple[altair.Chart, altair.Chart]:
    few = len(result.learned) <= _MOST_NUMBERED
    places = [
        {"x": x, "y": y, "number": str(number) if few or number == task.number else "", "own": number == task.number}
        for number, (x, y) in enumerate(result.learned, start=1)
    ]
    places.sort(key=lambda place: bool(place["own"]))  # on top of the others
    base = altair.Chart(altair.InlineData(places)).encode(
        x="x:Q",
        y="y:Q",
        tooltip=[altair.Tooltip("number:N", title="embedding of task")],
    )
    fill = altair.condition("datum.own", altair.value(COLORS[1]), altair.value("white"))
    radius = altair.condition("datum.own", altair.value(230), altair.value(130))
    disks = base.mark_circle(opacity=1, stroke="black", strokeWidth=1).encode(color=fill, size=radius)
    numbers = base.mark_text(fontSize=10, fontWeight="bold", color="black").encode(text="number:N")
    return disks, numbers


def _scale(places: list[float]) -> altair.Scale:
    half = (places[1] - places[0]) / 2
    return altair.Scale(domain=[float(np.min(places)) - half, float(np.max(places)) + half], nice=False, zero=False)


def _axis(result: AccuracyOverPlane, number: int) -> str:
    if result.explained is None:
        return f"embedding, {('first', 'second')[number]} number"
    return f"principal axis {number + 1} ({100 * result.explained[number]:.0f} % of variance)"
