"""Long sequences of tasks: what is left of each task, and what a step costs as tasks become many.

A run that is still going on, or was interrupted, is analyzed as far as it is.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import altair
import numpy as np

from hypermnesia.analyses.analysis import Analysis
from hypermnesia.charts.chart import chart_of, value_scale
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.recorded_runs.recorded import read_run
from hypermnesia.experiments.single_run.rundir import RunDirectory

NAME = "long-sequence"
_SMOOTHED_FROM = 20  # tasks
_RIGHT_AFTER = "right after learning it"
_TIME = "time of a step (ms)"


@dataclasses.dataclass(frozen=True)
class LongSequence:
    """Figures of each task that is learned and tested.

    Args:
        title: Experiment, scenario and seed, for people.
        tasks: Names of the tasks.
        planned: Number of tasks that there will be.
        right_after: Test accuracy in [0, 1] on each, right after learning it.
        at_end: Test accuracy after the newest task; None where it was not measured.
        milliseconds: Time of an optimizer step; what a method does at the end of a task counts too.

    Example:
        >>> run = LongSequence("a run", ("1", "2", "3"), 5, (0.9, 1.0, 1.0), (0.8, 0.9, 1.0), (5.0, 6.0, 6.5))
        >>> run.window, run.early_milliseconds, run.late_milliseconds
        (1, 6.0, 6.5)
    """

    title: str
    tasks: tuple[str, ...]
    planned: int
    right_after: tuple[float, ...]
    at_end: tuple[float | None, ...]
    milliseconds: tuple[float, ...]

    @property
    def caption(self) -> str:
        """Title and number of tasks."""
        number = len(self.tasks)
        return f"{self.title}, " + (
            f"{number} tasks" if number == self.planned else f"{number} of {self.planned} tasks so far"
        )

    @property
    def window(self) -> int:
        """Number of tasks to average a curve over: odd, about a tenth of them; 1 if they are few."""
        number = len(self.tasks)
        return max(5, number // 10 | 1) if number >= _SMOOTHED_FROM else 1

    @property
    def early_milliseconds(self) -> float | None:
        """Median time over a window of tasks after the first, which has no past to protect; None without any."""
        early = self.milliseconds[1 : 1 + self.window]
        return statistics.median(early) if early else None

    @property
    def late_milliseconds(self) -> float | None:
        """Median time over a window of the newest tasks; None where there is a first one only."""
        return statistics.median(self.milliseconds[-self.window :]) if self.early_milliseconds else None

    @property
    def largest_loss(self) -> float | None:
        """Largest loss of accuracy on a task since it was learned; None if it was not measured."""
        pairs = zip(self.right_after, self.at_end, strict=True)
        return max((before - after for before, after in pairs if after is not None), default=None)


def long_sequence(directory: RunDirectory) -> LongSequence:
    """Read the figures of a run, whether it is finished or not.

    Args:
        directory: Directory of the run, which is only read.

    Raises:
        ConfigurationError: There is no run, no task is learned yet, or a file is damaged.
    """
    experiment = directory.read_experiment()
    if experiment.labels != "classes":
        raise ConfigurationError(f"{directory.path}: its tasks are regressions; accuracies are of classes.")
    run = read_run(directory.path, history=False)
    if run.problems:
        raise ConfigurationError(" ".join(run.problems))
    # The tables are written one after the other, so a run that goes on may have a row more in one.
    learned = min(run.learned, len(run.timing))
    if not learned:
        raise ConfigurationError(f"{directory.path}: no task has been learned yet; wait until one is.")
    return LongSequence(
        title=f"{experiment.name}, {experiment.scenario}-incremental, seed {experiment.seed}",
        tasks=run.tasks[:learned],
        planned=len(run.tasks),
        right_after=tuple(np.diagonal(run.matrix)[:learned].tolist()),
        at_end=tuple(None if math.isnan(value) else value for value in run.matrix[learned - 1, :learned].tolist()),
        milliseconds=tuple(1000 * task.learning_seconds / task.iterations for task in run.timing[:learned]),
    )


def long_sequence_chart(run: LongSequence) -> altair.VConcatChart:
    """Chart of the accuracy on each task right after it and after the newest, above the time of a step.

    Args:
        run: Figures. Points are tasks, lines moving averages; of fewer than twenty tasks, lines connect the points.
    """
    x = altair.X("task:Q", title="task", axis=altair.Axis(tickMinStep=1, format="d", grid=False))
    x = x.scale(domain=[0.5, len(run.tasks) + 0.5], nice=False)
    accuracies = list(_accuracies(run))
    scale = value_scale((each["value"] for each in accuracies), ACCURACY)
    accuracy = altair.Y("value:Q", title="test accuracy (%)", scale=scale)
    milliseconds = altair.Y("value:Q", title=_TIME).scale(zero=True)
    color = altair.Color(
        "series:N",
        scale=altair.Scale(domain=[_at_end(run), _RIGHT_AFTER, _TIME]),
        legend=altair.Legend(title=None, orient="top", labelLimit=0, values=[_RIGHT_AFTER, _at_end(run)]),
    )
    above = _panel(run, accuracies, x, accuracy, color, 240)
    below = _panel(run, list(_times(run)), x, milliseconds, color, 130)
    smoothed = f"lines: moving average over {run.window} tasks; points: tasks" if run.window > 1 else ""
    return altair.vconcat(above, below, spacing=14).properties(
        title=altair.TitleParams(run.caption, subtitle=[smoothed] if smoothed else altair.Undefined)
    )


def _panel(
    run: LongSequence, points: list[dict[str, Any]], x: altair.X, y: altair.Y, color: altair.Color, height: int
) -> altair.LayerChart:
    base = chart_of(points).encode(x=x, y=y, color=color)
    tooltip = [
        altair.Tooltip("name:N", title="task"),
        altair.Tooltip("series:N", title="measured"),
        altair.Tooltip("value:Q", format=".2f"),
    ]
    marks = base.mark_circle(size=30, opacity=0.5 if run.window > 1 else 1).encode(tooltip=tooltip)
    reach = run.window // 2
    lines = base.transform_window(
        value="mean(value)", frame=[-reach, reach], groupby=["series"], sort=[altair.SortField("task")]
    )
    return altair.LayerChart(layer=[marks, lines.mark_line(strokeWidth=2)], width=560, height=height)


def _accuracies(run: LongSequence) -> Iterator[dict[str, Any]]:
    for task, name in enumerate(run.tasks):
        for series, value in ((_RIGHT_AFTER, run.right_after[task]), (_at_end(run), run.at_end[task])):
            if value is not None:
                yield {"task": task + 1, "name": name, "series": series, "value": 100 * value}


def _times(run: LongSequence) -> Iterator[dict[str, Any]]:
    for task, (name, milliseconds) in enumerate(zip(run.tasks, run.milliseconds, strict=True)):
        yield {"task": task + 1, "name": name, "series": _TIME, "value": milliseconds}


def _at_end(run: LongSequence) -> str:
    return f"after all {len(run.tasks)} tasks" if len(run.tasks) == run.planned else f"after {len(run.tasks)} tasks"


def long_sequence_lines(run: LongSequence) -> Iterator[str]:
    """Lines for a terminal: accuracies right after each task and at the end, and the time of a step."""
    yield run.caption
    yield f"right after learning  {_percent(run.right_after)}"
    measured = [value for value in run.at_end if value is not None]
    if len(measured) == len(run.tasks):
        yield f"after {len(run.tasks)} tasks  {_percent(measured)}"
        yield f"largest loss of a task  {100 * (run.largest_loss or 0):.2f} points"
    else:
        yield f"Not every task was tested after task {len(run.tasks)}: see evaluation.tasks."
    if run.early_milliseconds and run.late_milliseconds:
        over = f", medians of {run.window} tasks" if run.window > 1 else ""
        early, late = f"{run.early_milliseconds:.2f} ms from task 2 on", f"{run.late_milliseconds:.2f} ms at the end"
        yield f"time of a step  {early}, {late}{over}"


def _percent(values: Sequence[float]) -> str:
    return f"{100 * sum(values) / len(values):.2f} %, lowest {100 * min(values):.2f} %"


ANALYSIS = Analysis(
    name=NAME,
    help="""What is left of each of many tasks, and what a step takes.

    Accuracy right after each task and at the end, and the time of a step, which should not grow with the tasks.
    Writes RUN/analyses/long-sequence.json and its picture, as SVG and PNG.
    """,
    compute=long_sequence,
    result=LongSequence,
    chart=long_sequence_chart,
    lines=long_sequence_lines,
    title="A long sequence",
    alternative="Test accuracy on each task right after it and after the newest, and the time that a step took.",
    of_finished=False,
)
