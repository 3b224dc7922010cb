"""Accuracy on each task after each task."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.problems import ACCURACY
from hypermnesia.report.charts.accuracy_matrix import heat_map_of_accuracy, is_whole
from hypermnesia.report.charts.task_curves import task_curves_chart
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Figure, Section, of_each


def accuracy(groups: Sequence[Group]) -> Section | None:
    """The accuracy matrix, and a curve for each task; nothing where only diagonal and last row were measured."""
    title = " and ".join(dict.fromkeys(group.metric.name for group in groups)).capitalize()
    return of_each(title, [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    matrices, metric = group.matrices, group.metric
    if not matrices.size or not all(is_whole(matrix) for matrix in matrices):
        return []
    curves = Figure(
        figure_name("task-curves", group, groups),
        "Each task as further tasks are learned",
        task_curves_chart(matrices, metric, group.tasks),
        f"{metric.label} on each task, a line a task, from when it was learned on.",
    )
    if metric is not ACCURACY:
        return [curves]
    matrix = Figure(
        figure_name("accuracy-matrix", group, groups),
        "Test accuracy on each task after each task",
        heat_map_of_accuracy(matrices.mean(axis=0)),
        f"{metric.label} on every task (column) after learning each task (row); "
        f"{show_spread(group.average, metric)} on average after the last.",
    )
    return [matrix, curves]
