"""The first task by what generated weights start from: the scale of each layer, and the loss step by step.

A hypernetwork either generates a difference from the module's own values or, as published, weights from nothing, whose
scale is an accident. The network itself, trained without a hypernetwork, says what either is worth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair
import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from hypermnesia.analyses.analysis import Option, PlannedStudy, Study
from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.analyses.variants import changes_of, check_classes, seeds_of, title_of
from hypermnesia.charts.chart import COLORS, chart_of
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import read_run
from hypermnesia.experiments.settings.build import build_learner, build_network, build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.tasks import Task

_ITSELF = "fine-tuning"
_DECIDED = {
    "learner.start": "the start differs from run to run",
    "learner.rate_factor": "the rate differs from run to run",
    "tasks.num_tasks": "only the first task is learned",
    "recording.log_every": "every iteration is recorded",
}
_BATCHES = 10  # in a mean, as a single batch says little
_MOST_POINTS = 32  # of a curve
_LEAST_LOSS = 1e-4  # that is drawn
_WIDTH, _HEIGHT, _LAYER = 330, 250, 36


@dataclasses.dataclass(frozen=True)
class Start:
    """Way to begin the first task.

    Args:
        name: Name of its runs.
        label: Name for people.
        changes: Settings of the hypernetwork; None for the network itself, trained without one.
        color: Color of its curve.
        dash: Dashes of its curve.
        shape: Shape of its marks.
    """

    name: str
    label: str
    changes: Mapping[str, Any] | None
    color: str
    dash: tuple[int, int]
    shape: str

    def experiment(self, base: Base) -> Experiment:
        """The experiment that learns the first task so, and records every iteration."""
        first = {"tasks.num_tasks": 1, "recording.log_every": 1}
        if self.changes is None:
            return base.without_learner().experiment_of(_ITSELF, first)
        return base.experiment_of("hnet", {**first, **self.changes})


def _generated(name: str, start: str, rate: float | str, *look: Any) -> Start:
    changes = {"learner.start": start, "learner.rate_factor": rate}
    return Start(name, f"start: {start}, rate_factor: {rate}", changes, *look)


STARTS = (
    Start(_ITSELF, "the network itself", None, COLORS[6], (2, 3), "cross"),
    _generated("zero", "zero", 1, COLORS[1], (7, 3), "diamond"),
    _generated("module", "module", 1, COLORS[4], (4, 2), "square"),
    _generated("module-features", "module", "features", COLORS[0], (1, 0), "circle"),
)
"""Those that are set side by side: the network itself, as published, and the module's values with either rate."""


@dataclasses.dataclass(frozen=True)
class Begun:
    """First task, begun in one of the ways.

    Args:
        start: The way.
        scales: Standard deviation of each layer's weights before the first step, mean over seeds.
        features: Sum of the features' sizes Σ|Φ|, mean over chunks and seeds; None without a hypernetwork.
        runs: Finished runs.
        losses: Training loss of each iteration, mean of the last ten batches; a row for each finished run.
    """

    start: Start
    scales: tuple[float, ...]
    features: float | None
    runs: Group
    losses: tuple[Float64[np.ndarray, " iterations"], ...] = ()

    @property
    def loss(self) -> Float64[np.ndarray, " iterations"]:
        """Mean over seeds; empty without a finished run."""
        return np.mean(self.losses, axis=0) if self.losses else np.empty(0)

    def iterations_to(self, loss: float) -> list[float]:
        """Iterations until the loss is at most this, of each seed that comes so far."""
        below = [np.flatnonzero(each <= loss) for each in self.losses]
        return [float(each[0]) + 1 for each in below if len(each)]


@dataclasses.dataclass(frozen=True)
class StartStudy:
    """Results of the study.

    Args:
        base: Experiment whose first task is learned.
        seeds: Number of runs of each that were asked for.
        targets: Losses whose iterations are counted, from the largest.
        layers: Names of the layers, with their shapes.
        begun: Results of each way.
    """

    base: Base
    seeds: int
    targets: tuple[float, ...]
    layers: tuple[str, ...]
    begun: tuple[Begun, ...]


def plan(base: Base, losses: Sequence[float], seeds: int = 1, data: Path | None = None) -> PlannedStudy:
    """Runs of the study: the first task, begun in each way, seed by seed.

    Args:
        base: Experiment whose first task is learned.
        losses: Training losses whose iterations are counted.
        seeds: Number of seeds, which count from 0.
        data: Directory of the data; None looks at the usual places.

    Raises:
        ConfigurationError: It is a regression, or a setting is for this study to decide.
        DataError: Data are missing or damaged.

    Example:
        >>> from hypermnesia.experiments.many_runs.base import base_of
        >>> [run.name for run in plan(base_of("split-digits"), [0.1]).runs]
        ['fine-tuning-seed0', 'zero-seed0', 'module-seed0', 'module-features-seed0']
    """
    check_classes(base)
    for place, reason in _DECIDED.items():
        if place in base.changes:
            raise ConfigurationError(f"{place}: {reason}; leave it out.")
    planned = [PlannedRun(each.name, each.experiment(base), (base.scenario,)) for each in STARTS]
    tasks = build_tasks(planned[0].experiment, data)
    found = [[_before(run.experiment, tasks, seed) for seed in range(seeds)] for run in planned]
    layers = tuple(found[-1][0].scales)  # those that are generated: others may be shared, or a task's own

    def collect(outcomes: Sequence[Outcome], directory: Path) -> StartStudy:
        begun = []
        for each, before in zip(STARTS, found, strict=True):
            scales = np.mean([[one.scales[layer] for layer in layers] for one in before], axis=0)
            features = statistics.mean([one.features for one in before if one.features is not None])
            runs = grouped(each.name, outcomes)
            curves = tuple(curve for run in runs.runs if len(curve := _losses(run.path)))
            begun.append(Begun(each, tuple(scales.tolist()), features, runs, curves))
        return StartStudy(base, seeds, tuple(sorted(set(losses), reverse=True)), layers, tuple(begun))

    return PlannedStudy(over_seeds(planned, seeds), collect)


@dataclasses.dataclass(frozen=True)
class _Before:
    """What there is before the first step: the scale of each layer and, where weights are generated, Σ|Φ|."""

    scales: Mapping[str, float]
    features: float | None


@torch.no_grad()
def _before(experiment: Experiment, tasks: Sequence[Task], seed: int) -> _Before:
    """Of a seed. Its tasks need not be those of the seed, as their shapes are all that counts."""
    experiment = experiment.model_copy(update={"seed": seed})
    if experiment.learner.method == _ITSELF:
        return _Before(_scales(dict(build_network(experiment, tasks).named_parameters())), None)
    learner = build_learner(experiment, tasks)
    assert isinstance(learner, HypernetworkLearner)
    hypernetwork = learner.hypernetwork
    task = hypernetwork.add_task(learner.seeds.child("start").generator())
    features = hypernetwork.features(hypernetwork.embeddings([task]))
    return _Before(_scales(hypernetwork(task)), float(features.abs().sum(-1).mean()))


def _scales(weights: Mapping[str, Tensor]) -> dict[str, float]:
    """Standard deviation of each tensor but vectors, by its name and shape."""
    return {
        f"{name}, {' × '.join(map(str, tensor.shape))}": float(tensor.detach().std(correction=0))
        for name, tensor in weights.items()
        if tensor.ndim >= 2
    }


def _losses(run: Path) -> Float64[np.ndarray, " iterations"]:
    """Training loss at each iteration: the mean of that batch and the nine before, as far as there are any."""
    losses = np.array([record["loss"] for record in read_run(run).steps], dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - _BATCHES, 0)
    means: Float64[np.ndarray, " iterations"] = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def start_chart(study: StartStudy) -> altair.HConcatChart | None:
    """Chart of each layer's scale before the first step, and of the loss step by step; None if no run has finished."""
    finished = [each for each in study.begun if each.losses]
    if not finished:
        return None
    shown = [each.start for each in finished]
    title = altair.TitleParams(
        f"{title_of(study.base, study.seeds)}: the start of the first task",
        subtitle=changes_of(study.base) or altair.Undefined,
    )
    size = {"width": _WIDTH, "height": max(_HEIGHT, _LAYER * len(study.layers))}
    scales: altair.Chart = _scales_panel(study, shown).properties(**size)
    losses: altair.LayerChart = _loss_panel(finished, shown).properties(**size)
    return altair.hconcat(scales, losses, spacing=36).properties(title=title)


def start_sheet(study: StartStudy) -> Sheet:
    """Table of a study, one row for each way to begin."""
    layers = "; ".join(f"{number}: {layer}" for number, layer in enumerate(study.layers, 1))
    return Sheet(
        name="start",
        title=f"Start: {title_of(study.base, study.seeds)}",
        head=[
            *("start", "scale / the network's", "Σ|Φ|"),
            *(f"iterations to {target:g}" for target in study.targets),
            *("accuracy (%)", "seeds"),
        ],
        rows=[_row(study, each) for each in study.begun],
        notes=[
            "Only the first task is learned. Scale: standard deviation of a layer's weights before the first step, of "
            "all layers. Σ|Φ|: how many learning rates a step of Adam can move a generated weight, where rate_factor "
            "is 1.",
            f"Iterations: until the training loss, mean of {_BATCHES} batches, is at most that, mean over "
            "the seeds that come so far. Accuracy: on test data of the task. Mean over seeds, ± standard error.",
            f"Layers: {layers}.",
            *changes_of(study.base),
        ],
        figures=[_figures(study, each) for each in study.begun],
    )


def _row(study: StartStudy, each: Begun) -> list[str]:
    return [
        each.start.label,
        _relative(each.scales, study.begun[0].scales),
        "" if each.features is None else f"{each.features:.2f}",
        *(_iterations(each, target) for target in study.targets),
        show_spread(each.runs.average, ACCURACY),
        seeds_of([each.runs], study.seeds),
    ]


def _iterations(each: Begun, target: float) -> str:
    """Mean over the seeds that come so far, and how many these are if not all do."""
    reached, of = each.iterations_to(target), len(each.losses)
    if not reached:
        return "never" if of else ""
    return f"{np.mean(reached):.0f}" + ("" if len(reached) == of else f" ({len(reached)} of {of})")


def _relative(scales: Sequence[float], own: Sequence[float]) -> str:
    """Range of the layers' scales relative to the network's own, where these are not zero."""
    ratios = [scale / of_network for scale, of_network in zip(scales, own, strict=True) if of_network]
    return " to ".join(dict.fromkeys(f"{end:.2f}" for end in (min(ratios), max(ratios)))) if ratios else ""


def _figures(study: StartStudy, each: Begun) -> dict[str, str | float | None]:
    return {
        "start": each.start.name,
        "sum_of_features": each.features,
        **{f"scale_{number}": scale for number, scale in enumerate(each.scales, 1)},
        **{f"iterations_to_{loss:g}": statistics.mean(each.iterations_to(loss)) for loss in study.targets},
        **{f"seeds_to_{loss:g}": len(each.iterations_to(loss)) for loss in study.targets},
        **figures_of("accuracy", each.runs.average, ACCURACY),
        "seeds": each.runs.seeds,
    }


def _scales_panel(study: StartStudy, shown: Sequence[Start]) -> altair.Chart:
    """A mark for each start, one below the other in the band of a layer."""
    rows = [
        {"layer": layer, "start": each.start.label, "scale": float(f"{scale:.4g}")}
        for each in study.begun
        if each.start in shown
        for layer, scale in zip(study.layers, each.scales, strict=True)
        if scale > 0
    ]
    layers = altair.Y("layer:N", title=None, sort=None).scale(paddingInner=0.4, paddingOuter=0.2)
    x = altair.X("scale:Q", title="standard deviation of the weights").scale(type="log", nice=False, padding=14)
    chart: altair.Chart = chart_of(rows).mark_point(filled=True, size=80, opacity=1)
    return chart.encode(
        x=x.axis(values=_ticks(1, 1.5, 2, 3, 4, 5, 7), format="~g", labelOverlap="greedy"),
        y=layers.axis(labelExpr="split(datum.label, ', ')", grid=True),
        yOffset=altair.YOffset("start:N", sort=[each.label for each in shown]),
        **_looks(shown),
        tooltip=["start:N", "layer:N", altair.Tooltip("scale:Q", title="standard deviation")],
    ).properties(title=altair.TitleParams("before the first step", fontSize=12))


def _loss_panel(finished: Sequence[Begun], shown: Sequence[Start]) -> altair.LayerChart:
    """A line for each start; where nothing is left to learn, it leaves the picture."""
    rows = [row for each in finished for row in _points(each)]
    drawn = [row["loss"] for row in rows if row["loss"] >= _LEAST_LOSS] or [_LEAST_LOSS]
    domain = [min(drawn) / 1.1, max(drawn) * 1.1]
    x = altair.X("iteration:Q", title="iterations").scale(type="log", nice=False)
    y = altair.Y("loss:Q", title=f"training loss, mean of {_BATCHES} batches").scale(
        type="log", domain=domain, nice=False
    )
    looks = _looks(shown)
    base = chart_of(rows).encode(
        x=x.axis(values=_ticks(1, 2, 5), format="~s", labelOverlap="greedy"),
        y=y.axis(values=_ticks(1, 2, 5), format="~g", labelOverlap="greedy"),
        color=looks["color"],
    )
    dashes = altair.StrokeDash("start:N", scale=_range(shown, [list(each.dash) for each in shown]), legend=None)
    tooltip = ["start:N", altair.Tooltip("iteration:Q", format=","), altair.Tooltip("loss:Q", format=".3~g")]
    lines = base.mark_line(strokeWidth=1.5, clip=True).encode(strokeDash=dashes)
    marks = base.mark_point(filled=True, size=30, opacity=1, clip=True).encode(shape=looks["shape"], tooltip=tooltip)
    title = altair.TitleParams("step by step", fontSize=12)
    return altair.LayerChart(layer=[lines, marks], title=title)


def _points(each: Begun) -> Iterator[dict[str, Any]]:
    """Points of its curve, as far apart at its beginning as at its end on a logarithmic axis."""
    loss = each.loss
    for iteration in np.unique(np.geomspace(1, len(loss), _MOST_POINTS).round().astype(int)).tolist():
        if loss[iteration - 1] > 0:  # rounding can give zero, which a logarithmic axis does not have
            yield {"start": each.start.label, "iteration": iteration, "loss": float(f"{loss[iteration - 1]:.4g}")}


def _ticks(*digits: float) -> list[float]:
    """Places on a logarithmic axis that have these first digits."""
    return [float(f"{digit}e{power}") for power in range(-6, 7) for digit in digits]


def _looks(shown: Sequence[Start]) -> dict[str, Any]:
    legend = altair.Legend(title=None, orient="top", columns=2, labelLimit=0, symbolSize=80, symbolStrokeWidth=0)
    return {
        "color": altair.Color("start:N", scale=_range(shown, [each.color for each in shown]), legend=legend),
        "shape": altair.Shape("start:N", scale=_range(shown, [each.shape for each in shown]), legend=legend),
    }


def _range(shown: Sequence[Start], values: Sequence[Any]) -> altair.Scale:
    return altair.Scale(domain=[each.label for each in shown], range=list(values))


STUDY = Study(
    name="start",
    help="""The first task by what generated weights start from: the module's own values, or nothing.

    Shows the scale of each layer before the first step, and how the loss of the first task falls: of the network
    itself, and of hypernetworks with either start and rate. Writes Markdown, CSV and a picture. Finished runs are
    reused and interrupted ones continued, so give the same command again after Ctrl-C.
    """,
    plan=plan,
    chart=start_chart,
    sheet=start_sheet,
    directory="start",
    options=(Option("losses", "positive numbers", "0.5,0.1", "N,N", "Training losses whose iterations are counted."),),
    preset="split-digits",
)
