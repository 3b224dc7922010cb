"""Several groups side by side: a table, and charts on common axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.problems import Metric
from hypermnesia.report.charts.method_curves import Curves, average_chart, first_task_chart
from hypermnesia.report.charts.ranking import ranking_chart
from hypermnesia.report.metric import difference, labels
from hypermnesia.report.page.section import Block, Figure, Section, Table
from hypermnesia.report.units import duration, number, size

_MOST_CURVES = 21  # colors, lines and shapes tell so many apart


def comparison(groups: Sequence[Group]) -> Section | None:
    """Nothing for a single group."""
    if len(groups) < 2:
        return None
    return Section("Side by side", [_table(groups), *_rankings(groups), *_curves(groups)])


def _table(groups: Sequence[Group]) -> Table:
    metrics = [group.metric for group in groups]
    head = [
        *(
            "runs",
            labels(metrics),
            difference("forgetting", metrics),
            "compression",
            "memory kept",
            "time per step (ms)",
        ),
        *("time of a run", "seeds"),
    ]
    ranked = sorted(groups, key=lambda group: -group.metric.sign * group.average.mean if group.average else 0)
    rows = [
        [
            group.label if group.finished else f"{group.label}, not finished",
            show_spread(group.average, group.metric),
            show_spread(group.forgetting, group.metric),
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
    if not groups:
        return []
    metric = groups[0].metric
    averages = {group.label: found for group in groups if group.metric is metric and (found := group.average)}
    forgotten = {group.label: found for group in groups if group.metric is metric and (found := group.forgetting)}
    label = difference("forgetting", [metric])
    return [
        *_ranking(
            f"ranking-{metric.name}",
            f"Average {metric.name}",
            averages,
            metric,
            metric.label,
            descending=metric.more_is_better,
        ),
        *_ranking("ranking-forgetting", "Forgetting", forgotten, metric, label, descending=False),
    ]


def _ranking(
    name: str, title: str, found: Mapping[str, Spread], metric: Metric, label: str, *, descending: bool
) -> list[Block]:
    if not found:
        return []
    best = sorted(found, key=lambda group: found[group].mean, reverse=descending)[0]
    told = f"{title} of each; the best is {best} with {show_spread(found[best], metric)}."
    return [Figure(name, title, ranking_chart(found, metric, label, descending=descending), told)]


def _curves(groups: Sequence[Group]) -> list[Block]:
    known = [group for group in groups if group.matrices.size]
    if not known:
        return []
    metric = known[0].metric
    curves = [_curve(group) for group in known if group.metric is metric][:_MOST_CURVES]
    note = f"The first {_MOST_CURVES} of {len(groups)}." if len(groups) > _MOST_CURVES else ""
    told = f"{metric.label} after each task, a line for each group of runs"
    first, average = first_task_chart(curves, metric), average_chart(curves, metric)
    return [
        Figure("curves-first-task", "The first task, as tasks go by", first, f"{told}: on the first task.", note),
        Figure("curves-average", "All tasks so far, averaged", average, f"{told}: over all tasks so far.", note),
    ]


def _curve(group: Group) -> Curves:
    shown = group.metric.factor * group.matrices
    averages = [shown[:, after, : after + 1].mean(axis=1) for after in range(shown.shape[1])]
    return Curves(group.label, shown[:, :, 0], np.stack(averages, axis=1))
