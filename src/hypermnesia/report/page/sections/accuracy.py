"""Accuracy on each task after each task."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.experiments.groups import Group
from hypermnesia.report import measure
from hypermnesia.report.accuracy_matrix import heat_map_of_accuracy, is_whole
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Figure, Section, of_each
from hypermnesia.report.task_curves import task_curves_chart


def accuracy(groups: Sequence[Group]) -> Section | None:
    """The accuracy matrix, and a curve for each task; nothing where only its diagonal and last row were measured."""
    return of_each("Accuracy", [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    matrices = group.accuracy
    if not matrices.size or not all(is_whole(matrix) for matrix in matrices):
        return []
    mean = matrices.mean(axis=0)
    average = measure.text(group.average_accuracy)
    matrix = Figure(
        figure_name("accuracy-matrix", group, groups),
        f"{measure.NAME.capitalize()} on each task after each task",
        heat_map_of_accuracy(mean),
        f"{measure.LABEL} on every task (column) after learning each task (row); {average} on average after the last.",
    )
    curves = Figure(
        figure_name("task-curves", group, groups),
        "Each task as further tasks are learned",
        task_curves_chart(matrices, group.tasks),
        f"{measure.LABEL} on each task, a line a task, from when it was learned on.",
    )
    return [matrix, curves]
