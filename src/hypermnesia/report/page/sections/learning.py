"""Sections on learning: curves on the training batches, and what is replayed of past tasks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.charts.chart import chart_of, value_scale
from hypermnesia.charts.replay_grid import replay_chart
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import curve, thinned
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Block, Figure, Fold, Section, Text, of_each

_MOST_POINTS = 500
_FIRST = {"loss": "Loss", "accuracy": "Accuracy on the training batches"}
_MOST_BOUNDARIES = 30


def learning(groups: Sequence[Group]) -> Section | None:
    """Section with loss and accuracy on the training batches and, folded, all other recorded curves."""
    return of_each("Learning", groups, _curves)


def _curves(group: Group) -> list[Block]:
    records = [{record["step"]: record for record in run.steps} for run in group.counted if run.steps]
    if not records:
        return []
    common = functools.reduce(np.intersect1d, [np.array(list(of_run), dtype=np.float64) for of_run in records])
    names = [name for name in records[0][common[0]] if name != "step"] if len(common) else []
    known = [name for name in names if all(name in of_run[step] for of_run in records for step in common)]
    figures = {name: _figure(name, records, common, group) for name in known}
    first: list[Block] = [figures[name] for name in _FIRST if name in figures]
    others = [figure for name, figure in figures.items() if name not in _FIRST]
    return [*first, Fold("More curves", others)] if others else first


def _figure(
    name: str, records: Sequence[Mapping[float, Mapping[str, float]]], steps: np.ndarray, group: Group
) -> Figure:
    values = np.array([[of_run[step][name] for step in steps] for of_run in records], dtype=np.float64)
    title = name
    if name.endswith(ACCURACY.name):  # as all accuracies on the page
        values, title = ACCURACY.factor * values, f"{name} ({ACCURACY.unit.strip()})"
    curves = thinned(np.concatenate([steps[None], values]), _MOST_POINTS)
    iterations = [timing.iterations for timing in group.counted[0].timing]
    boundaries = np.cumsum(iterations[:-1] if len(iterations) == len(group.tasks) else iterations).tolist()
    chart = learning_curve_chart(curves[0], curves[1:], title, boundaries)
    told = f"{title} over {int(steps[-1])} optimizer steps; {values[:, -1].mean():.4g} at the end."
    file = f"learning-{name.replace('/', '-').replace('_', '-')}"
    return Figure(file, _FIRST.get(name, name), chart, told)


def learning_curve_chart(
    steps: Float64[np.ndarray, " points"],
    values: Float64[np.ndarray, "seeds points"],
    name: str,
    boundaries: Sequence[int],
) -> altair.LayerChart:
    """Chart of a recorded quantity: mean over seeds as a line, with a band of one standard error to either side.

    Args:
        steps: Optimizer steps of all tasks together.
        values: Values of the quantity.
        name: Name of the quantity, with its unit, at the axis.
        boundaries: Steps at which a task ended and the next began; drawn unless there are too many.
    """
    mean, sem = curve(values)
    errors = np.zeros_like(mean) if sem is None else sem
    digits = 5
    row = {
        "step": steps.round(1).tolist(),
        "value": mean.round(digits).tolist(),
        "low": (mean - errors).round(digits).tolist(),
        "high": (mean + errors).round(digits).tolist(),
    }
    axis = altair.Axis(grid=False, tickCount=6)
    x = altair.X("step:Q", title="optimizer steps", scale=altair.Scale(nice=False), axis=axis)
    base = chart_of([row]).transform_flatten(list(row)).encode(x=x)
    tooltip = [altair.Tooltip("step:Q", format=","), altair.Tooltip("value:Q", title=name, format=".4~g")]
    layers = [
        base.mark_line(strokeWidth=1.5, tooltip=None).encode(
            y=altair.Y("value:Q", title=name, scale=value_scale(row["low"] + row["high"]))
        ),
        # Nobody hits a thin line: what tells values is an invisible point at each of them.
        base.mark_point(filled=True, size=60, opacity=0).encode(y="value:Q", tooltip=tooltip),
    ]
    if sem is not None:
        layers.insert(0, base.mark_area(opacity=0.25, tooltip=None).encode(y="low:Q", y2="high:Q"))
    if 0 < len(boundaries) <= _MOST_BOUNDARIES:
        ends = chart_of([{"step": step} for step in boundaries])
        layers.insert(0, ends.mark_rule(strokeDash=[2, 3], opacity=0.6, tooltip=None).encode(x="step:Q"))
    return altair.LayerChart(layer=layers, width=520, height=180)


def replay(groups: Sequence[Group]) -> Section | None:
    """Section with replayed inputs, early beside late; of the first seed, as each seed draws its own."""
    return of_each("Replay", groups, _samples)


def _samples(group: Group) -> list[Block]:
    run = next((run for run in group.counted if run.replay), None)
    if run is None or run.replay is None:
        return []
    early, late = run.replay
    names = [*run.tasks, *(f"task {number}" for number in range(len(run.tasks) + 1, len(early) + 1))][: len(early)]
    try:
        chart = replay_chart(early, late, names)
    except ConfigurationError as error:
        return [Text(f"Not shown: {error}.")]
    told = f"Samples of what is replayed of {len(names)} tasks, right after each was learned and now."
    note = f"Seed {run.seed}." if len(group.counted) > 1 else ""
    return [Figure("replay", "What is replayed, then and now", chart, told, note)]
