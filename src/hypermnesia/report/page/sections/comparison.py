"""Sections that set groups of runs side by side: with each other, and with published results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from hypermnesia.charts.chart import chart_of, in_units, value_scale
from hypermnesia.charts.method_curves import average_chart, first_task_chart
from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.experiments.many_runs import published as tables
from hypermnesia.experiments.many_runs.published import PUBLISHED
from hypermnesia.experiments.many_runs.reproduce import Comparison, answers
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Block, Figure, Section, Table, Text
from hypermnesia.report.published_table import BELOW, ours_head, ours_text, variant_note
from hypermnesia.report.task_table import comparable, task_charts, task_sheet
from hypermnesia.report.text import difference, duration, labels, number, size

_MOST_CURVES = 21  # colors, lines and shapes tell so many apart
_ROW = 22  # pixels


def comparison(groups: Sequence[Group]) -> Section | None:
    """Section with a table, rankings and curves of all groups; None for a single group."""
    if len(groups) < 2:
        return None
    return Section("Side by side", [_table(groups), *_rankings(groups), *_curves(groups), *_by_task(groups)])


def _table(groups: Sequence[Group]) -> Table:
    metrics = [group.metric for group in groups]
    head = ["runs", labels(metrics), difference("forgetting", metrics), "compression", "memory kept"]
    head += ["time per step (ms)", "time of a run", "seeds"]
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
    """Finished runs only, since it is easier to be good on fewer tasks."""
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
    curves = {group.label: group for group in [each for each in known if each.metric is metric][:_MOST_CURVES]}
    note = f"The first {_MOST_CURVES} of {len(groups)}." if len(groups) > _MOST_CURVES else ""
    told = f"{metric.label} after each task, a line for each group of runs"
    first, average = first_task_chart(curves, metric), average_chart(curves, metric)
    return [
        Figure("curves-first-task", "The first task, as tasks go by", first, f"{told}: on the first task.", note),
        Figure("curves-average", "All tasks so far, averaged", average, f"{told}: over all tasks so far.", note),
    ]


def _by_task(groups: Sequence[Group]) -> list[Block]:
    """Each task, of the groups that have learned as many as the first."""
    by_name = dict(list(comparable({group.label: group for group in groups}).items())[:_MOST_CURVES])
    sheet = task_sheet("by-task", "Each task", by_name)
    if sheet is None or len(by_name) < 2:
        return []
    blocks: list[Block] = [Table(sheet.notes[0], sheet.head, sheet.rows), *map(Text, sheet.notes[1:])]
    for name, (title, chart) in zip(("by-task", "forward-transfer"), task_charts(by_name), strict=False):
        blocks.append(Figure(name, title.capitalize(), chart, f"{title.capitalize()}, for each group of runs."))
    return blocks


def ranking_chart(
    figures: Mapping[str, Spread], metric: Metric, label: str, *, descending: bool = True
) -> altair.LayerChart:
    """Chart of figures, the best first: a point for each mean over seeds, a bar of one standard error to either side.

    Args:
        figures: Figures by what they are of.
        metric: Metric in whose units they are shown.
        label: Title of the axis.
        descending: Whether the largest is the best.
    """
    rows: list[dict[str, Any]] = [
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
    base = chart_of(rows).encode(
        y=altair.Y("of:N", title=None, sort=order, axis=axis),
        tooltip=[altair.Tooltip("of:N", title="run"), altair.Tooltip("text:N", title=label)],
    )
    scale = value_scale((row[end] for row in rows for end in ("mean", "low", "high")), metric)
    scale.padding = 8
    x = altair.X("mean:Q", title=label, scale=scale, axis=altair.Axis(tickCount=5, labelOverlap=True))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    bars = base.mark_rule(strokeWidth=2).encode(x=altair.X("low:Q", title=label), x2="high:Q")
    return altair.LayerChart(layer=[bars, points], width=420, height=_ROW * len(figures))


def published(groups: Sequence[Group]) -> Section | None:
    """A row for each published accuracy that a run answers for, with a column for each variant of our runs."""
    comparisons = [answers(tables.load_table(name), groups) for name in tables.tables()]
    found = [comparison for comparison in comparisons if comparison.found]
    if not found:
        return None
    note = Text(
        f"{BELOW} ours is below the published by more than two standard errors of the difference (of one seed: the "
        "published spread is taken). The scenario says what is known and asked at test."
    )
    return Section("Beside published results", [*(block for each in found for block in _beside(each)), note])


def _beside(comparison: Comparison) -> list[Block]:
    table, found = comparison.table, {cell.variant for cell in comparison.found}
    variants = [variant for variant in (PUBLISHED, *table.variants) if variant in found]
    rows = []
    for benchmark, scenario in table.rows:
        for method, label in table.methods.items():
            cells = [comparison.cell(benchmark, scenario, method, variant) for variant in variants]
            if any(cell.ours for cell in cells):
                published = show_spread(cells[0].published, ACCURACY)
                rows.append([f"{label}, {benchmark}", scenario, published, *map(ours_text, cells)])
    caption = f"Test accuracy (%) after the last task, mean ± standard error. {table.published}"
    head = ["method, benchmark", "scenario", "published", *(ours_head(comparison, variant) for variant in variants)]
    notes = [Text(variant_note(variant)) for name, variant in table.variants.items() if name in found]
    return [Table(caption, head, rows), *notes]
