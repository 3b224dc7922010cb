"""Table of methods on each task: right after learning, at the end, and beside learning from scratch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import altair

from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.charts.by_task import by_task_chart, transfer_chart
from hypermnesia.criteria import Metric
from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.recorded_runs.by_task import (
    at_the_end,
    forward_transfer,
    reference,
    right_after,
)
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.text import difference

MOST_TASKS = 25
"""Number of tasks up to which each has a column of its own."""


def comparable(groups: Mapping[str, Group]) -> dict[str, Group]:
    """Those finished groups, by their names, that have learned as many tasks, by the same metric, as the first."""
    finished = {name: group for name, group in groups.items() if group.finished}
    first = next(iter(finished.values()), None)
    if first is None or not 2 <= len(first.tasks) <= MOST_TASKS:
        return {}
    return {
        name: group
        for name, group in finished.items()
        if len(group.tasks) == len(first.tasks) and group.metric is first.metric
    }


def task_sheet(name: str, title: str, groups: Mapping[str, Group]) -> Sheet | None:
    """Figures of each group on each task, one row for each; and one for its forward transfer where that is known.

    Args:
        name: Name of its files.
        title: Title.
        groups: Groups of runs by their names; None if there is none to show.
    """
    groups = comparable(groups)
    if not groups:
        return None
    first = next(iter(groups.values()))
    rows, figures = [], []
    for label, group in groups.items():
        early, late = right_after(group), at_the_end(group)
        pairs = [*zip(early, late, strict=True), (_average(early), _average(late))]
        rows.append([label, *(" → ".join(_short(each, group.metric) for each in pair) for pair in pairs)])
        gains = transfer_of(group, list(groups.values()))
        if gains:
            shown = [_short(gain, group.metric, sign="+") for gain in [*gains, _average(gains[1:])]]
            rows.append([f"{label}, transfer", *shown])
        for number, (before, after) in enumerate(zip(early, late, strict=True)):
            figures.append(
                {
                    "method": label,
                    "task": number + 1,
                    "name": first.tasks[number],
                    **figures_of("right_after", before, group.metric),
                    **figures_of("at_the_end", after, group.metric),
                    **figures_of("forward_transfer", gains[number] if gains else None, group.metric),
                }
            )
    head = ["", *(f"task {number}" for number in range(1, len(first.tasks) + 1)), "average"]
    return Sheet(name, title, head, rows, list(_notes(groups)), figures)


def task_chart(groups: Mapping[str, Group], title: str) -> altair.TopLevelMixin | None:
    """Chart of what the sheet holds; None if there is nothing."""
    charts = [chart for _, chart in task_charts(groups)]
    if not charts:
        return None
    together = altair.VConcatChart(vconcat=charts, title=title)
    # Else shapes are those of one list of names, though they mean times in one chart and runs in the other.
    apart: altair.VConcatChart = together.resolve_scale(
        color="independent", fill="independent", shape="independent", strokeDash="independent"
    )
    return apart


def task_charts(groups: Mapping[str, Group]) -> Iterator[tuple[str, altair.LayerChart]]:
    """Charts of groups of runs, task by task, each with what it shows."""
    groups = comparable(groups)
    if not groups:
        return
    first = next(iter(groups.values()))
    early = {label: right_after(group) for label, group in groups.items()}
    late = {label: at_the_end(group) for label, group in groups.items()}
    yield "each task, right after learning and at the end", by_task_chart(early, late, first.metric, first.tasks)
    gains = {label: transfer_of(group, list(groups.values())) for label, group in groups.items()}
    if known := {label: found for label, found in gains.items() if found}:
        label = difference("better than from scratch by", [first.metric])
        yield "forward transfer", transfer_chart(known, label, first.metric, first.tasks, list(groups))


def transfer_of(group: Group, groups: Sequence[Group]) -> list[Spread]:
    """Forward transfer of a group on each task; empty where none of the others learned the same from scratch."""
    apart = reference(group, groups)
    return [] if apart is None else forward_transfer(group, apart)


def _notes(groups: Mapping[str, Group]) -> Iterator[str]:
    metric = next(iter(groups.values())).metric
    yield f"{metric.label}: right after the task was learned → after the last task; means over seeds."
    if any(transfer_of(group, list(groups.values())) for group in groups.values()):
        yield (
            "Transfer: how much better a task is right after it was learned than learned from scratch, in the same way"
            " from the same examples; its average leaves out the first task."
        )


def _average(spreads: Sequence[Spread]) -> Spread:
    return Spread(statistics.mean([spread.mean for spread in spreads]) or 0.0, None)


def _short(spread: Spread, metric: Metric, sign: str = "") -> str:
    """The mean with a digit less than elsewhere, so that many tasks fit on a line."""
    return f"{metric.factor * spread.mean:{sign}.{metric.decimals - 1}f}"
