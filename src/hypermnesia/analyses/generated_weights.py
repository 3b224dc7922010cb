"""Weights that are generated for tasks: their distances, how far they drift, and the features they are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import altair
import numpy as np
import torch
from torch import Tensor

from hypermnesia.analyses.analysis import Advanced, Analysis, unheard
from hypermnesia.charts.chart import COLORS, GRADUAL, SEQUENTIAL, chart_of
from hypermnesia.evaluation.generated_weights import (
    feature_spectrum,
    generated,
    layers,
    relative_changes,
    relative_distances,
)
from hypermnesia.experiments.recorded_runs.finished import FinishedRun

NAME = "weights"
_TASKS_AT_A_TIME = 16
_DISTANCES_SIDE = 230
_MOST_NUMBERS = 10  # tasks whose distances are written on the cells, too
_SPECTRUM_WIDTH, _SPECTRUM_HEIGHT, _ROW = 300, 150, 16
_LEAST_SHOWN = 1e-8  # of the largest singular value: what lies below is rounding
_DRIFT_WIDTH, _DRIFT_HEIGHT = 170, 150


@dataclasses.dataclass(frozen=True)
class Drift:
    """Drift of the weights generated for a task since it was learned, relative to their size then.

    Attributes:
        task: Number of the task, from 1.
        learned: Number of tasks learned by now.
        total: Drift of all weights together.
        layers: Drift of each layer.
    """

    task: int
    learned: int
    total: float
    layers: list[float]


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Singular values of the features of all tasks and chunks.

    Attributes:
        singular_values: Singular values, the largest first.
        shares: Share of each task in the energy of each direction.
        dimensions: Number of directions that hold 99 % of the energy.
    """

    singular_values: list[float]
    shares: list[list[float]]
    dimensions: int


@dataclasses.dataclass(frozen=True)
class GeneratedWeights:
    """Weights that the hypernetwork generates for its tasks.

    Attributes:
        run: Name of the experiment and seed, for people.
        tasks: Names of the tasks.
        layers: Names of the modules of the target network.
        distances: Relative distances between the weights of each two tasks: 0 for the same, √2 for orthogonal ones.
        drift: Drift of each task after each later one; None where the run did not keep its learners.
        spectrum: Spectrum of the features.
    """

    run: str
    tasks: list[str]
    layers: list[str]
    distances: list[list[float]]
    drift: list[Drift] | None
    spectrum: Spectrum


def generated_weights(run: FinishedRun, advanced: Advanced = unheard) -> GeneratedWeights:
    """Compare the weights of all tasks and, where the run kept its learners, measure their drift.

    Args:
        run: Run to look into.
        advanced: Function that is told of every kept learner.

    Raises:
        CheckpointError: A kept learner is missing or damaged.
    """
    hypernetwork = run.learner.hypernetwork
    spectrum = feature_spectrum(hypernetwork)
    return GeneratedWeights(
        run=run.title,
        tasks=[task.name for task in run.tasks],
        layers=layers(hypernetwork.layout),
        distances=relative_distances(hypernetwork).tolist(),
        drift=list(_drift(run, advanced)) if run.keeps_learners else None,
        spectrum=Spectrum(spectrum.singular_values.tolist(), spectrum.shares.tolist(), spectrum.dimensions),
    )


def _drift(run: FinishedRun, advanced: Advanced) -> Iterator[Drift]:
    """In the order of learning. The weights of every task as they were first are held meanwhile."""
    first: list[Tensor] = []
    for learned in range(1, len(run.tasks) + 1):
        hypernetwork = run.learner_after(learned).hypernetwork
        for some in torch.arange(learned).split(_TASKS_AT_A_TIME):
            now = generated(hypernetwork, some.tolist())
            first.extend(now[len(first) - int(some[0]) :].clone())  # the newest, if it is among them
            before = torch.stack([first[task] for task in some])
            totals, of_layers = relative_changes(before, now, hypernetwork.layout)
            for task, total, parts in zip(some.tolist(), totals.tolist(), of_layers.tolist(), strict=True):
                yield Drift(task + 1, learned, total, parts)
        advanced(learned, len(run.tasks))


def generated_weights_chart(result: GeneratedWeights) -> altair.VConcatChart:
    """Charts of distances and spectrum side by side, and of drift below if there is any."""
    above = altair.hconcat(weight_distances_chart(result), feature_spectrum_chart(result), spacing=40)
    sheets: list[altair.HConcatChart | altair.FacetChart] = [above.resolve_scale(color="independent")]
    if result.drift is not None:
        sheets.append(weight_drift_chart(result, result.drift))
    sheet: altair.VConcatChart = altair.vconcat(*sheets, spacing=30).resolve_scale(color="independent")
    return sheet.properties(title=f"{result.run}: what is remembered where")


def generated_weights_text(result: GeneratedWeights) -> Iterator[str]:
    """Lines for a terminal: the range of the distances, the dimensions used, and the largest drift."""
    distances = np.array(result.distances)
    if len(distances) > 1:
        apart = distances[np.triu_indices(len(distances), k=1)]
        yield f"distance between weights of tasks: {apart.min():.3f} to {apart.max():.3f} (orthogonal: 1.414)"
    spectrum = result.spectrum
    yield f"99 % of the features' energy: {spectrum.dimensions} of {len(spectrum.singular_values)} directions"
    if result.drift is None:
        yield "How far weights drift is seen only where a run keeps its learners: recording.keep_learners=true."
        return
    most = max(result.drift, key=lambda drift: drift.total)
    yield (
        f"drift of weights since their task was learned: at most {100 * most.total:.2f} %"
        f" (task {most.task} after {most.learned} tasks)"
    )


def weight_distances_chart(result: GeneratedWeights) -> altair.LayerChart | altair.FacetChart:
    """Chart of the distance of each two tasks as color, and as number where there is room."""
    rows = [
        {"one": one, "other": other, "distance": distance, "names": f"{name}, {result.tasks[other - 1]}"}
        for one, (name, row) in enumerate(zip(result.tasks, result.distances, strict=True), start=1)
        for other, distance in enumerate(row, start=1)
    ]
    largest = max(max(row) for row in result.distances) or 1.0
    many = len(result.tasks) > 20
    axis = altair.Axis(labelAngle=0, values=list(range(10, len(result.tasks) + 1, 10)) if many else altair.Undefined)
    base = chart_of(rows).encode(
        x=altair.X("other:O", title="task", axis=axis),
        y=altair.Y("one:O", title="task", axis=axis),
        tooltip=[altair.Tooltip("names:N", title="tasks"), altair.Tooltip("distance:Q", format=".4f")],
    )
    cells = base.mark_rect().encode(
        color=altair.Color(
            "distance:Q", title="relative distance", scale=altair.Scale(scheme=SEQUENTIAL, domain=[0, largest])
        )
    )
    layers = [cells]
    if len(result.tasks) <= _MOST_NUMBERS:
        dark = altair.condition(f"datum.distance > {0.55 * largest}", altair.value("black"), altair.value("white"))
        layers.append(base.mark_text(fontSize=10).encode(text=altair.Text("distance:Q", format=".2f"), color=dark))
    return altair.layer(*layers).properties(
        width=_DISTANCES_SIDE,
        height=_DISTANCES_SIDE,
        title=altair.TitleParams("distances between the weights of tasks", subtitle="0: the same, √2: orthogonal"),
    )


def feature_spectrum_chart(result: GeneratedWeights) -> altair.VConcatChart:
    """Chart of singular values on a logarithmic axis; below each, every task's share of the direction."""
    spectrum = result.spectrum
    values = spectrum.singular_values
    drawn = [number for number, value in enumerate(values) if value > _LEAST_SHOWN * values[0]]
    sizes = [{"direction": number + 1, "value": values[number]} for number in drawn]
    scale = altair.Scale(type="log", nice=False, domain=[values[drawn[-1]] / 1.5, values[0] * 1.5])
    across = altair.X("direction:O", title=None, axis=altair.Axis(labelAngle=0, labelOverlap=True))
    points = (
        chart_of(sizes)
        .mark_point(filled=True, size=50, opacity=1)
        .encode(
            x=across,
            y=altair.Y("value:Q", title="singular value", scale=scale),
            tooltip=[altair.Tooltip("direction:O"), altair.Tooltip("value:Q", format=".4g")],
        )
        .properties(width=_SPECTRUM_WIDTH, height=_SPECTRUM_HEIGHT)
    )
    rows = [
        {"task": task, "name": name, "direction": number + 1, "share": 100 * shares[number]}
        for task, (name, shares) in enumerate(zip(result.tasks, spectrum.shares, strict=True), start=1)
        for number in drawn
    ]
    shares = (
        chart_of(rows)
        .mark_rect()
        .encode(
            x=across.copy().title("direction"),
            y=altair.Y("task:O", title="task", axis=altair.Axis(labelOverlap=True)),
            color=altair.Color("share:Q", title="share (%)", scale=altair.Scale(scheme=SEQUENTIAL, domainMin=0)),
            tooltip=["name:N", altair.Tooltip("direction:O"), altair.Tooltip("share:Q", format=".1f")],
        )
        .properties(width=_SPECTRUM_WIDTH, height=max(60, min(230, _ROW * len(result.tasks))))
    )
    return altair.vconcat(points, shares, spacing=4).properties(
        title=altair.TitleParams(
            "singular values of the features Φ, and tasks' shares",
            subtitle=f"{spectrum.dimensions} of {len(values)} directions hold 99 % of the energy",
        )
    )


def weight_drift_chart(result: GeneratedWeights, drift: Sequence[Drift]) -> altair.FacetChart:
    """Chart of drift: a line for each task, a panel for all weights together and for each layer.

    Args:
        result: Result with the names of tasks and layers.
        drift: Drift in that result.
    """
    panels = ["all weights", *(f"layer {number}" for number in range(1, len(result.layers) + 1))]
    rows = [
        {
            "task": each.task,
            "name": result.tasks[each.task - 1],
            "learned": each.learned,
            "where": where,
            "drift": 100 * change,
        }
        for each in drift
        for where, change in zip(panels, (each.total, *each.layers), strict=True)
    ]
    axis = altair.Axis(tickMinStep=1, format="d", labelFlush=False)
    lines = (
        chart_of(rows)
        .mark_line(point=altair.OverlayMarkDef(size=25), strokeWidth=1.8)
        .encode(
            x=altair.X("learned:Q", title="tasks learned", axis=axis),
            y=altair.Y("drift:Q", title="moved since learned (%)"),
            color=_color(len(result.tasks)),
            detail="task:O",
            tooltip=[
                altair.Tooltip("task:O"),
                altair.Tooltip("name:N"),
                altair.Tooltip("learned:Q", title="tasks learned"),
                altair.Tooltip("drift:Q", title="moved (%)", format=".3f"),
            ],
        )
        .properties(width=_DRIFT_WIDTH, height=_DRIFT_HEIGHT)
    )
    panels_in_rows: altair.FacetChart = lines.facet(
        facet=altair.Facet("where:N", sort=panels, title=None, header=altair.Header(labelFontSize=11)), columns=4
    ).properties(
        title=altair.TitleParams(
            "how far the weights of a task have moved since it was learned", subtitle="relative to their size then"
        )
    )
    return panels_in_rows


def _color(tasks: int) -> Any:
    if tasks <= len(COLORS):
        return altair.Color("task:N", title="task", scale=altair.Scale(domain=list(range(1, tasks + 1))))
    return altair.Color("task:Q", title="task", scale=altair.Scale(scheme=GRADUAL))


ANALYSIS = Analysis(
    name=NAME,
    help="""What is remembered where: distances, drift and dimensions of the weights that are generated for tasks.

    How they drift is seen only in a run that was made with recording.keep_learners=true.
    """,
    compute=generated_weights,
    result=GeneratedWeights,
    chart=generated_weights_chart,
    lines=generated_weights_text,
    title="What is remembered where",
    alternative="Distances between the weights of tasks, how far these have moved, and the dimensions of their "
    "features.",
    steps="learners",
)
