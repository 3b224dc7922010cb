"""How learning went, on the training batches."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from hypermnesia.evaluation.statistics import thinned
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.charts.learning_curve import learning_curve_chart
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Figure, Fold, Section, of_each

_MOST_POINTS = 500
_FIRST = {"loss": "Loss", "accuracy": "Accuracy on the training batches"}


def learning(groups: Sequence[Group]) -> Section | None:
    """Loss and accuracy of the training batches, and folded whatever else was recorded, as TensorBoard has it."""
    return of_each("Learning", [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    records = [{record["step"]: record for record in run.steps} for run in group.counted if run.steps]
    if not records:
        return []
    common = functools.reduce(np.intersect1d, [np.array(list(of_run), dtype=np.float64) for of_run in records])
    names = [name for name in records[0][common[0]] if name != "step"] if len(common) else []
    known = [name for name in names if all(name in of_run[step] for of_run in records for step in common)]
    figures = {name: _figure(name, records, common, group, groups) for name in known}
    first: list[Block] = [figures[name] for name in _FIRST if name in figures]
    others = [figure for name, figure in figures.items() if name not in _FIRST]
    return [*first, Fold("More curves", others)] if others else first


def _figure(
    name: str,
    records: Sequence[Mapping[float, Mapping[str, float]]],
    steps: np.ndarray,
    group: Group,
    groups: Sequence[Group],
) -> Figure:
    values = np.array([[of_run[step][name] for step in steps] for of_run in records], dtype=np.float64)
    curves = thinned(np.concatenate([steps[None], values]), _MOST_POINTS)
    iterations = [timing.iterations for timing in group.counted[0].timing]
    boundaries = np.cumsum(iterations[:-1] if len(iterations) == len(group.tasks) else iterations).tolist()
    chart = learning_curve_chart(curves[0], curves[1:], name, boundaries)
    told = f"{name} over {int(steps[-1])} optimizer steps; {values[:, -1].mean():.4g} at the end."
    file = figure_name(f"learning-{name.replace('/', '-').replace('_', '-')}", group, groups)
    return Figure(file, _FIRST.get(name, name), chart, told)
