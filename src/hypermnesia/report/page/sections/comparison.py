"""Several groups side by side: a table, and charts on common axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hypermnesia.experiments.groups import Group
from hypermnesia.report import measure
from hypermnesia.report.method_curves import Curves, average_chart, first_task_chart
from hypermnesia.report.page.section import Block, Figure, Section, Table
from hypermnesia.report.ranking import ranking_chart
from hypermnesia.report.units import duration, number, size

_MOST_CURVES = 21  # colors, lines and shapes tell so many apart


def comparison(groups: Sequence[Group]) -> Section | None:
    """Nothing for a single group."""
    if len(groups) < 2:
        return None
    return Section("Side by side", [_table(groups), *_rankings(groups), *_curves(groups)])


def _table(groups: Sequence[Group]) -> Table:
    head = [
        *("runs", measure.LABEL, f"forgetting ({measure.UNIT})", "compression", "memory kept", "time per step (ms)"),
        *("time of a run", "seeds"),
    ]
    ranked = sorted(groups, key=lambda group: -group.average_accuracy.mean if group.average_accuracy else 0)
    rows = [
        [
            group.label if group.finished else f"{group.label}, not finished",
            measure.text(group.average_accuracy),
            measure.text(group.forgetting),
            number(group.figure("compression"), ".3f"),
            size(group.memory_bytes[-1] if group.memory_bytes else None),
            number(group.milliseconds_per_step, ".2f"),
            duration(group.seconds),
            _seeds(group),
        ]
        for group in ranked
    ]
    return Table("Averages over all tasks learned, mean ± standard error over seeds; the best first", head, rows)


def _seeds(group: Group) -> str:
    counted, all_runs = sum(run.finished for run in group.runs), len(group.runs)
    return f"{counted}" if counted == all_runs else f"{counted} of {all_runs}"


def _rankings(groups: Sequence[Group]) -> list[Block]:
    """Of finished runs: on fewer tasks it is easier to be good."""
    groups = [group for group in groups if group.finished]
    accuracies = {group.label: found for group in groups if (found := group.average_accuracy)}
    forgotten = {group.label: found for group in groups if (found := group.forgetting)}
    figures: list[Block] = []
    if accuracies:
        chart = ranking_chart(accuracies, measure.LABEL)
        best = max(accuracies, key=lambda label: accuracies[label].mean)
        told = f"Average {measure.NAME} of each; the best is {best} with {measure.text(accuracies[best])}."
        figures.append(Figure("ranking-accuracy", f"Average {measure.NAME}", chart, told))
    if forgotten:
        label = f"forgetting ({measure.UNIT})"
        least = min(forgotten, key=lambda label: forgotten[label].mean)
        told = f"Forgetting of each; the least is that of {least} with {measure.text(forgotten[least])}."
        chart = ranking_chart(forgotten, label, descending=False)
        figures.append(Figure("ranking-forgetting", "Forgetting", chart, told))
    return figures


def _curves(groups: Sequence[Group]) -> list[Block]:
    curves = [_curve(group) for group in groups if group.accuracy.size][:_MOST_CURVES]
    if not curves:
        return []
    note = f"The first {_MOST_CURVES} of {len(groups)}." if len(groups) > _MOST_CURVES else ""
    first = Figure(
        "curves-first-task",
        "The first task, as tasks go by",
        first_task_chart(curves),
        "Accuracy on the first task after each task, a line for each group of runs.",
        note,
    )
    average = Figure(
        "curves-average",
        "All tasks so far, averaged",
        average_chart(curves),
        "Accuracy averaged over the tasks so far after each task, a line for each group of runs.",
        note,
    )
    return [first, average]


def _curve(group: Group) -> Curves:
    percent = 100 * group.accuracy
    averages = [percent[:, after, : after + 1].mean(axis=1) for after in range(percent.shape[1])]
    return Curves(group.label, percent[:, :, 0], np.stack(averages, axis=1))
