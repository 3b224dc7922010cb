"""A picture of how far the weights of each task move while later tasks are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair

from hypermnesia.analyses.generated_weights import Drift, GeneratedWeights
from hypermnesia.report.charts.chart import COLORS, GRADUAL

_WIDTH, _HEIGHT = 170, 150


def weight_drift_chart(result: GeneratedWeights, drift: Sequence[Drift]) -> altair.FacetChart:
    """A line for each task, a panel for all weights together and for each layer.

    Args:
        result: Has the names.
        drift: Its own, that there is.
    """
    panels = ["all weights", *(f"layer {number}" for number in range(1, len(result.layers) + 1))]
    rows = [
        {
            "task": each.task,
            "name": result.tasks[each.task - 1],
            "learned": each.learned,
            "where": where,
            "drift": 100 * change,
        }
        for each in drift
        for where, change in zip(panels, (each.total, *each.layers), strict=True)
    ]
    axis = altair.Axis(tickMinStep=1, format="d", labelFlush=False)
    lines = (
        altair.Chart(altair.InlineData(rows))
        .mark_line(point=altair.OverlayMarkDef(size=25), strokeWidth=1.8)
        .encode(
            x=altair.X("learned:Q", title="tasks learned", axis=axis),
            y=altair.Y("drift:Q", title="moved since learned (%)"),
            color=_color(len(result.tasks)),
            detail="task:O",
            tooltip=[
                altair.Tooltip("task:O"),
                altair.Tooltip("name:N"),
                altair.Tooltip("learned:Q", title="tasks learned"),
                altair.Tooltip("drift:Q", title="moved (%)", format=".3f"),
            ],
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )
    panels_in_rows: altair.FacetChart = lines.facet(
        facet=altair.Facet("where:N", sort=panels, title=None, header=altair.Header(labelFontSize=11)), columns=4
    ).properties(
        title=altair.TitleParams(
            "how far the weights of a task have moved since it was learned", subtitle="relative to their size then"
        )
    )
    return panels_in_rows


def _color(tasks: int) -> Any:
    if tasks <= len(COLORS):
        return altair.Color("task:N", title="task", scale=altair.Scale(domain=list(range(1, tasks + 1))))
    return altair.Color("task:Q", title="task", scale=altair.Scale(scheme=GRADUAL))
