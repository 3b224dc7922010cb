"""Figures of a finished run as tables on a terminal, and its pictures in its directory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hypermnesia.charts.chart import png, titled
from hypermnesia.charts.heat_maps import matrix_chart, task_confusion_chart
from hypermnesia.charts.replay_grid import replay_chart
from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.evaluation import learning_accuracy
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.summary import Summary
from hypermnesia.report.text import duration

# cividis, as in charts, at 0, 10, … 100 %; importing a library for it would take longer than printing everything else.
_COLORS = (
    *("#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78"),
    *("#948e77", "#aea371", "#c8b866", "#e5cf52", "#fee838"),
)
_CELL, _LABEL = 7, 10
_GROUPS = 10


def print_summary(console: Console, summary: Summary) -> None:
    """Print the accuracy matrix, or what fits of it, and the figures that follow from it."""
    fits = _LABEL + _CELL * len(summary.state.tasks) <= console.width
    console.print(summary.metric.label, style="bold")
    console.print(_matrix(summary) if fits else _groups(summary))
    for name, value in _figures(summary):
        console.print(f"{name:<22}{value}", markup=False, highlight=False, soft_wrap=True)


def _matrix(summary: Summary) -> Table:
    """All that was measured; row = after which task, column = which task."""
    table = Table(box=None, padding=0)
    table.add_column("after task", width=_LABEL)
    for task in range(len(summary.state.tasks)):
        table.add_column(f"{task + 1} ", justify="right", width=_CELL)
    for after, row in enumerate(summary.matrix):
        table.add_row(str(after + 1), *(_cell(value, summary.metric) for value in row))
    return table


def _groups(summary: Summary) -> Table:
    """Mean and worst over groups of consecutive tasks, where the whole matrix would not fit."""
    table = Table(box=None, padding=0)
    table.add_column("tasks", width=_LABEL)
    for heading in ("right after", "worst", "at the end", "worst"):
        table.add_column(heading, justify="right", width=13)
    learned, final = np.diagonal(summary.matrix), summary.matrix[-1]
    worst = np.min if summary.metric.more_is_better else np.max
    for group in np.array_split(np.arange(len(final)), min(_GROUPS, len(final))):
        means = [f(values[group]) for values in (learned, final) for f in (np.mean, worst)]
        name = f"{group[0] + 1} to {group[-1] + 1}" if len(group) > 1 else str(group[0] + 1)
        table.add_row(name, *(_cell(float(value), summary.metric) for value in means))
    return table


def _cell(value: float, metric: Metric) -> Text:
    if np.isnan(value):
        return Text("")
    if metric is not ACCURACY:
        return Text(f"{value:{_CELL - 1}.{metric.decimals}f} ")
    style = f"{'black' if value > 0.55 else 'white'} on {_COLORS[round(value * 10)]}"
    return Text(f"{100 * value:6.2f} ", style=style)


def _figures(summary: Summary) -> Iterator[tuple[str, str]]:
    show = summary.metric.show
    yield f"average {summary.metric.name}", show(summary.average)
    if len(summary.state.averages) > 1:
        yield from ((f"  {name}-incremental", show(value)) for name, value in summary.state.averages.items())
    if summary.task_inference_accuracy is not None:
        yield "task inferred", ACCURACY.show(summary.task_inference_accuracy)
    yield "right after learning", show(learning_accuracy(summary.matrix))
    yield from ((name.replace("_", " "), show(value)) for name, value in summary.changes.items() if value is not None)
    yield "compression ratio", f"{summary.compression:.3f} (weights trained / weights of the target network)"
    yield "time", duration(summary.seconds)
    yield "written to", summary.directory


def draw_pictures(directory: RunDirectory, summary: Summary) -> None:
    """Write pictures of a run into its directory: accuracies and, where there are any, inferred tasks and replay."""
    title = f"{summary.experiment.name}, {summary.experiment.scenario}-incremental, seed {summary.experiment.seed}"
    matrix = matrix_chart(summary.matrix, summary.metric)
    directory.write_picture(directory.matrix_picture(summary.metric), png(titled(matrix, title)))
    if summary.state.inferred is not None:
        confusion = task_confusion_chart(np.array(summary.state.inferred))
        directory.write_picture(directory.task_inference_picture, png(titled(confusion, title)))
    if replay := directory.read_replay():
        early, late = ([inputs.numpy() for inputs in part] for part in replay)
        directory.write_picture(directory.replay_picture, png(replay_chart(early, late, summary.state.tasks)))
