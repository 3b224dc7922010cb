"""A picture of how many dimensions of its features a hypernetwork uses, and for which task."""

from __future__ import annotations

import altair

from hypermnesia.analyses.generated_weights import GeneratedWeights
from hypermnesia.report.charts.chart import SEQUENTIAL

_WIDTH = 300
_HEIGHT, _ROW = 150, 16
_LEAST = 1e-8
"""Of the largest: what lies below is rounding, and not drawn."""


def feature_spectrum_chart(result: GeneratedWeights) -> altair.VConcatChart:
    """Singular values on a logarithmic axis; below each, every task's share of the direction."""
    spectrum = result.spectrum
    values = spectrum.singular_values
    drawn = [number for number, value in enumerate(values) if value > _LEAST * values[0]]
    sizes = [{"direction": number + 1, "value": values[number]} for number in drawn]
    scale = altair.Scale(type="log", nice=False, domain=[values[drawn[-1]] / 1.5, values[0] * 1.5])
    across = altair.X("direction:O", title=None, axis=altair.Axis(labelAngle=0, labelOverlap=True))
    points = (
        altair.Chart(altair.InlineData(sizes))
        .mark_point(filled=True, size=50, opacity=1)
        .encode(
            x=across,
            y=altair.Y("value:Q", title="singular value", scale=scale),
            tooltip=[altair.Tooltip("direction:O"), altair.Tooltip("value:Q", format=".4g")],
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )
    rows = [
        {"task": task, "name": name, "direction": number + 1, "share": 100 * shares[number]}
        for task, (name, shares) in enumerate(zip(result.tasks, spectrum.shares, strict=True), start=1)
        for number in drawn
    ]
    shares = (
        altair.Chart(altair.InlineData(rows))
        .mark_rect()
        .encode(
            x=across.copy().title("direction"),
            y=altair.Y("task:O", title="task", axis=altair.Axis(labelOverlap=True)),
            color=altair.Color("share:Q", title="share (%)", scale=altair.Scale(scheme=SEQUENTIAL, domainMin=0)),
            tooltip=["name:N", altair.Tooltip("direction:O"), altair.Tooltip("share:Q", format=".1f")],
        )
        .properties(width=_WIDTH, height=max(60, min(230, _ROW * len(result.tasks))))
    )
    return altair.vconcat(points, shares, spacing=4).properties(
        title=altair.TitleParams(
            "singular values of the features Φ, and tasks' shares",
            subtitle=f"{spectrum.dimensions} of {len(values)} directions hold 99 % of the energy",
        )
    )
