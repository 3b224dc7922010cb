"""Sections on what was tested: accuracy on each task after each task, forgetting, and the inferred tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.charts.chart import COLORS, GRADUAL, chart_of, in_units, means, task_axis, value_scale
from hypermnesia.charts.heat_maps import heat_map_of_accuracy, is_whole, task_confusion_chart
from hypermnesia.charts.retention import retention_chart
from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Block, Figure, Section, of_each

_MOST_POINTS = 20


def accuracy(groups: Sequence[Group]) -> Section | None:
    """Section with accuracy matrix and a curve for each task; None where only diagonal and last row were measured."""
    title = " and ".join(dict.fromkeys(group.metric.name for group in groups)).capitalize()
    return of_each(title, groups, _curves)


def _curves(group: Group) -> list[Block]:
    matrices, metric = group.matrices, group.metric
    if not matrices.size or not all(is_whole(matrix) for matrix in matrices):
        return []
    curves = Figure(
        "task-curves",
        "Each task as further tasks are learned",
        task_curves_chart(matrices, metric, group.tasks),
        f"{metric.label} on each task, a line a task, from when it was learned on.",
    )
    if metric is not ACCURACY:
        return [curves]
    matrix = Figure(
        "accuracy-matrix",
        "Test accuracy on each task after each task",
        heat_map_of_accuracy(matrices.mean(axis=0)),
        f"{metric.label} on every task (column) after learning each task (row); "
        f"{show_spread(group.average, metric)} on average after the last.",
    )
    return [matrix, curves]


def task_curves_chart(
    matrices: Float64[np.ndarray, "seeds learned tasks"], metric: Metric, names: Sequence[str]
) -> altair.LayerChart:
    """Chart of the accuracy or error on each task after it and after each further one: a line a task.

    Choosing a task makes the others faint. Lines are means over seeds; while one is chosen, a band shows one standard
    error to either side.

    Args:
        matrices: Accuracies or errors; row = after task i, column = task j; NaN = not measured.
        metric: Metric of the values.
        names: Names of the tasks.
    """
    learned = matrices.shape[1]
    tasks = [f"{number}: {name}" for number, name in enumerate(names[:learned], start=1)]
    chosen = altair.selection_point(
        name="task",
        fields=["task"],
        bind=altair.binding_select(options=[None, *tasks], labels=["all", *tasks], name="Task "),
    )
    rows = [_row(matrices[:, number:, number], number, task, metric) for number, task in enumerate(tasks)]
    shown = (value for row in rows for end in ("value", "low", "high") for value in row[end])
    base = (
        chart_of(rows)
        .transform_flatten(["after", "value", "low", "high", "text"])
        .encode(
            x=task_axis("after", "tasks learned", learned),
            y=altair.Y("value:Q", title=metric.label, scale=value_scale(shown, metric)),
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


def _row(values: Float64[np.ndarray, "seeds after"], number: int, task: str, metric: Metric) -> dict[str, Any]:
    """A curve as one entry; flattened on the page."""
    measured = np.flatnonzero(~np.isnan(values).any(axis=0))
    return {
        "task": task,
        "number": number + 1,
        "after": (measured + number + 1).tolist(),
        **means(values[:, measured], metric),
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


def forgetting(groups: Sequence[Group]) -> Section | None:
    """Section with accuracy right after learning beside that at the end; None while the last row is not measured."""
    return of_each("Forgetting", groups, _retention)


def _retention(group: Group) -> list[Block]:
    matrices, metric = group.matrices, group.metric
    if not matrices.size or np.isnan(matrices[:, -1, : matrices.shape[1]]).any():
        return []
    lost = metric.sign * (np.diagonal(matrices, axis1=1, axis2=2) - matrices[:, -1, : matrices.shape[1]]).mean(axis=0)
    worst = int(lost.argmax())
    told = f"{metric.label} on each task right after learning it and after the last task learned."
    if len(lost) > 1:
        told += f" The largest loss is that on task {worst + 1}, {group.tasks[worst]}: {in_units(lost[worst], metric)}."
    chart = retention_chart(matrices, metric, group.tasks)
    return [Figure("forgetting", "Right after learning, and now", chart, told)]


def inference(groups: Sequence[Group]) -> Section | None:
    """Section with the confusion of tasks, where the learner infers the task."""
    return of_each("Task inference", groups, _confusion)


def _confusion(group: Group) -> list[Block]:
    counts = group.inferred
    if counts is None:
        return []
    right = group.task_inference_accuracy
    told = "How often each task was inferred (column) for test inputs of each task (row)"
    told += "." if right is None else f"; the right one for {100 * right:.2f} % of the inputs, tasks counting alike."
    chart = task_confusion_chart(counts)
    return [Figure("task-inference", "Inferred tasks", chart, told)]
