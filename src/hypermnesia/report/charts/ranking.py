"""A picture of several runs or methods by one figure, best first."""

from __future__ import annotations

from collections.abc import Mapping

import altair

from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.problems import Metric
from hypermnesia.report.metric import in_units

_ROW = 22  # pixels


def ranking_chart(
    figures: Mapping[str, Spread], metric: Metric, label: str, *, descending: bool = True
) -> altair.LayerChart:
    """A point for each mean over seeds, and a bar of one standard error to either side.

    Args:
        figures: By what they are of.
        metric: In whose units they are shown.
        label: What they are, at the axis.
        descending: Whether the largest is the best.
    """
    rows = [
        {
            "of": name,
            "mean": in_units(figure.mean, metric),
            "low": in_units(figure.mean - (figure.sem or 0), metric),
            "high": in_units(figure.mean + (figure.sem or 0), metric),
            "text": show_spread(figure, metric),
        }
        for name, figure in figures.items()
    ]
    order = sorted(figures, key=lambda name: figures[name].mean, reverse=descending)
    axis = altair.Axis(grid=True, labelLimit=240, domain=False, ticks=False)
    base = altair.Chart(altair.InlineData(rows)).encode(
        y=altair.Y("of:N", title=None, sort=order, axis=axis),
        tooltip=[altair.Tooltip("of:N", title="run"), altair.Tooltip("text:N", title=label)],
    )
    x = altair.X("mean:Q", title=label, scale=altair.Scale(zero=False, nice=True, padding=8))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    bars = base.mark_rule(strokeWidth=2).encode(x=altair.X("low:Q", title=label), x2="high:Q")
    return altair.LayerChart(layer=[bars, points], width=420, height=_ROW * len(figures))
