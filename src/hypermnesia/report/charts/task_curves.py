"""A picture of each task's accuracy as further tasks go by, of which one can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.evaluation.statistics import Spread, curve, show_spread
from hypermnesia.problems import Metric
from hypermnesia.report.charts.chart import COLORS, GRADUAL
from hypermnesia.report.charts.task_axis import task_axis
from hypermnesia.report.metric import in_units

_MOST_POINTS = 20


def task_curves_chart(
    matrices: Float64[np.ndarray, "seeds learned tasks"], metric: Metric, names: Sequence[str]
) -> altair.LayerChart:
    """Accuracy or error on each task after it and after each further one: a line a task.

    Choosing a task makes the others faint. Lines are means over seeds; while one is chosen, a band shows one standard
    error to either side.

    Args:
        matrices: Row = after task i, column = task j; NaN = not measured.
        metric: What they are.
        names: Of the tasks.
    """
    learned = matrices.shape[1]
    tasks = [f"{number}: {name}" for number, name in enumerate(names[:learned], start=1)]
    chosen = altair.selection_point(
        name="task",
        fields=["task"],
        bind=altair.binding_select(options=[None, *tasks], labels=["all", *tasks], name="Task "),
    )
    rows = [_row(matrices[:, number:, number], number, task, metric) for number, task in enumerate(tasks)]
    base = (
        altair.Chart(altair.InlineData(rows))
        .transform_flatten(["after", "value", "low", "high", "text"])
        .encode(
            x=task_axis("after", "tasks learned", learned),
            y=altair.Y("value:Q", title=metric.label, scale=altair.Scale(zero=False)),
            color=_color(learned),
        )
    )
    opacity = altair.condition(chosen, altair.value(1), altair.value(0.12))
    lines = base.mark_line(strokeWidth=2 if learned <= _MOST_POINTS else 1, tooltip=None).encode(opacity=opacity)
    # Of many tasks points would hide the lines; unseen, they still tell their values.
    seen = opacity if learned <= _MOST_POINTS else altair.value(0)
    points = (
        base.mark_point(filled=True, size=45)
        .encode(
            opacity=seen,
            tooltip=[
                altair.Tooltip("task:N"),
                altair.Tooltip("after:Q", title="after tasks"),
                altair.Tooltip("text:N", title=metric.label),
            ],
        )
        .add_params(chosen)
    )
    layers = [lines, points]
    if len(matrices) > 1:
        band = base.mark_area(tooltip=None).encode(
            y=altair.Y("low:Q"),
            y2="high:Q",
            opacity=altair.condition(chosen, altair.value(0.2), altair.value(0), empty=False),
        )
        layers.insert(0, band)
    return altair.LayerChart(layer=layers, width=520, height=280)


def _row(values: Float64[np.ndarray, "seeds after"], number: int, task: str, metric: Metric) -> dict[str, object]:
    """A curve as one entry; flattened on the page."""
    measured = np.flatnonzero(~np.isnan(values).any(axis=0))
    mean, sem = curve(values[:, measured])
    errors = np.zeros_like(mean) if sem is None else sem
    spreads = zip(mean, [None] * len(mean) if sem is None else sem, strict=True)
    return {
        "task": task,
        "number": number + 1,
        "after": (measured + number + 1).tolist(),
        "value": [in_units(value, metric) for value in mean],
        "low": [in_units(value, metric) for value in mean - errors],
        "high": [in_units(value, metric) for value in mean + errors],
        "text": [show_spread(Spread(*each), metric) for each in spreads],
    }


def _color(tasks: int) -> altair.Color:
    """Colors to tell few tasks apart, or from early to late."""
    domain = [*range(1, tasks + 1)]
    if tasks <= len(COLORS):
        legend = altair.Legend(symbolOpacity=1)
        return altair.Color("number:N", title="task", scale=altair.Scale(domain=domain), legend=legend)
    every = 1 if tasks <= 10 else max(1, tasks // 5)
    legend = altair.Legend(values=[number for number in domain if number == 1 or number % every == 0], symbolOpacity=1)
    scale = altair.Scale(domain=domain, scheme=GRADUAL)
    return altair.Color("number:O", title="task", scale=scale, legend=legend)
