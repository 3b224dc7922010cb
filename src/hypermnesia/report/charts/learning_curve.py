"""A picture of one quantity while learning, as loss or accuracy on the training batches."""

from __future__ import annotations

from collections.abc import Sequence

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.evaluation.statistics import curve

_MOST_BOUNDARIES = 30


def learning_curve_chart(
    steps: Float64[np.ndarray, " points"],
    values: Float64[np.ndarray, "seeds points"],
    name: str,
    boundaries: Sequence[int],
) -> altair.LayerChart:
    """The mean over seeds as a line, with a band of one standard error to either side.

    Args:
        steps: Optimizer steps of all tasks together.
        values: Of the quantity.
        name: What it is; at the axis.
        boundaries: Steps at which a task ended and the next began; drawn unless there are too many.
    """
    mean, sem = curve(values)
    errors = np.zeros_like(mean) if sem is None else sem
    digits = 5
    row = {
        "step": steps.round(1).tolist(),
        "value": mean.round(digits).tolist(),
        "low": (mean - errors).round(digits).tolist(),
        "high": (mean + errors).round(digits).tolist(),
    }
    axis = altair.Axis(grid=False, tickCount=6)
    x = altair.X("step:Q", title="optimizer steps", scale=altair.Scale(nice=False), axis=axis)
    base = altair.Chart(altair.InlineData([row])).transform_flatten(list(row)).encode(x=x)
    tooltip = [altair.Tooltip("step:Q", format=","), altair.Tooltip("value:Q", title=name, format=".4~g")]
    layers = [
        base.mark_line(strokeWidth=1.5, tooltip=None).encode(y=altair.Y("value:Q", title=name)),
        # Nobody hits a thin line: what tells values is an invisible point at each of them.
        base.mark_point(filled=True, size=60, opacity=0).encode(y="value:Q", tooltip=tooltip),
    ]
    if sem is not None:
        layers.insert(0, base.mark_area(opacity=0.25, tooltip=None).encode(y="low:Q", y2="high:Q"))
    if 0 < len(boundaries) <= _MOST_BOUNDARIES:
        ends = altair.Chart(altair.InlineData([{"step": step} for step in boundaries]))
        layers.insert(0, ends.mark_rule(strokeDash=[2, 3], opacity=0.6, tooltip=None).encode(x="step:Q"))
    return altair.LayerChart(layer=layers, width=520, height=180)
