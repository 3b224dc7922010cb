"""Which task was inferred."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.charts.task_confusion import task_confusion_chart
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Figure, Section, of_each


def inference(groups: Sequence[Group]) -> Section | None:
    """The confusion of tasks, where nobody says the task."""
    return of_each("Task inference", [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    counts = group.inferred
    if counts is None:
        return []
    right = group.task_inference_accuracy
    told = "How often each task was inferred (column) for test inputs of each task (row)"
    told += "." if right is None else f"; the right one for {100 * right:.2f} % of the inputs, tasks counting alike."
    chart = task_confusion_chart(counts)
    return [Figure(figure_name("task-inference", group, groups), "Inferred tasks", chart, told)]
