"""A picture of how far apart the weights of tasks are."""

from __future__ import annotations

import altair

from hypermnesia.analyses.generated_weights import GeneratedWeights
from hypermnesia.report.charts.chart import SEQUENTIAL

_SIDE = 230
_MOST_NUMBERS = 10


def weight_distances_chart(result: GeneratedWeights) -> altair.LayerChart | altair.FacetChart:
    """The distance of each two tasks as color, and as number where there is room."""
    rows = [
        {"one": one, "other": other, "distance": distance, "names": f"{name}, {result.tasks[other - 1]}"}
        for one, (name, row) in enumerate(zip(result.tasks, result.distances, strict=True), start=1)
        for other, distance in enumerate(row, start=1)
    ]
    largest = max(max(row) for row in result.distances) or 1.0
    many = len(result.tasks) > 20
    axis = altair.Axis(labelAngle=0, values=list(range(10, len(result.tasks) + 1, 10)) if many else altair.Undefined)
    base = altair.Chart(altair.InlineData(rows)).encode(
        x=altair.X("other:O", title="task", axis=axis),
        y=altair.Y("one:O", title="task", axis=axis),
        tooltip=[altair.Tooltip("names:N", title="tasks"), altair.Tooltip("distance:Q", format=".4f")],
    )
    cells = base.mark_rect().encode(
        color=altair.Color(
            "distance:Q", title="relative distance", scale=altair.Scale(scheme=SEQUENTIAL, domain=[0, largest])
        )
    )
    layers = [cells]
    if len(result.tasks) <= _MOST_NUMBERS:
        dark = altair.condition(f"datum.distance > {0.55 * largest}", altair.value("black"), altair.value("white"))
        layers.append(base.mark_text(fontSize=10).encode(text=altair.Text("distance:Q", format=".2f"), color=dark))
    return altair.layer(*layers).properties(
        width=_SIDE,
        height=_SIDE,
        title=altair.TitleParams("distances between the weights of tasks", subtitle="0: the same, √2: orthogonal"),
    )
