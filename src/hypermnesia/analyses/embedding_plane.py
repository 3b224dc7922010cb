"""Test accuracy over a plane of embeddings: how large the region is in which a task is remembered.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, its figure of the
two-dimensional embedding space of split MNIST.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import altair
import numpy as np
import torch

from hypermnesia.analyses.analysis import Advanced, Analysis, Option, unheard
from hypermnesia.analyses.files import Parts
from hypermnesia.charts.chart import COLORS, SEQUENTIAL, chart_of
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.embeddings import accuracy_at, plane_of, share_near, square_around
from hypermnesia.experiments.recorded_runs.finished import FinishedRun
from hypermnesia.seeds import Seeds

NAME = "embedding-plane"
TOLERANCE = 0.01
"""Largest loss of accuracy, against that at its embedding, with which a task counts as remembered."""
_MOST_TASKS = 12
_SIDE = 190
_OVERLAP = 0.15  # of a cell with the next: without it, white hairlines show between them
_MOST_NUMBERED = 12  # learned embeddings with their numbers beside them


@dataclasses.dataclass(frozen=True)
class TaskOnPlane:
    """Test accuracy of one task over the plane.

    Attributes:
        number: Number of the task, from 1.
        name: Name of the task.
        accuracy: Accuracies from 0 to 1; a row for each y, a column for each x.
        at_embedding: Accuracy on the same examples at the task's embedding itself.
        remembered: Part of the square in which the accuracy is at most 0.01 below that.
    """

    number: int
    name: str
    accuracy: list[list[float]]
    at_embedding: float
    remembered: float


@dataclasses.dataclass(frozen=True)
class AccuracyOverPlane:
    """Test accuracies over a plane of embeddings.

    Attributes:
        run: Name of the experiment and seed, for people.
        dimensions: Number of dimensions of an embedding.
        explained: Fraction of the learned embeddings' variance along each axis; None where an embedding has no other
            dimensions.
        x: Positions along the first axis.
        y: Positions along the second axis.
        learned: x and y of every learned embedding. That of a task lies in the plane looked at; others may lie off it,
            and these are their projections.
        examples: Largest number of test examples of a task that were asked.
        tasks: Results of all tasks, or of twelve evenly chosen ones.
    """

    run: str
    dimensions: int
    explained: tuple[float, float] | None
    x: list[float]
    y: list[float]
    learned: list[tuple[float, float]]
    examples: int
    tasks: list[TaskOnPlane]


def embedding_plane(
    run: FinishedRun, resolution: int, examples: int, advanced: Advanced = unheard
) -> AccuracyOverPlane:
    """Measure test accuracies over a plane of embeddings; the plane itself where these have two dimensions.

    For embeddings of more, it is the plane through the task's own along the two principal axes of all learned ones.
    Every row of the grid is kept as soon as it is measured.

    Args:
        run: Run to look into.
        resolution: Number of points in each direction, at least 2.
        examples: Number of test examples of each task to ask, drawn at random once.
        advanced: Function that is told of every row.

    Raises:
        ConfigurationError: There is no such plane, or a number is too small.
    """
    if resolution < 2:
        raise ConfigurationError(f"resolution must be at least 2, not {resolution}.")
    if examples < 1:
        raise ConfigurationError(f"examples must be at least 1, not {examples}.")
    hypernetwork = run.learner.hypernetwork
    own = hypernetwork.embeddings(range(hypernetwork.num_tasks)).cpu().double().numpy()
    plane = plane_of(own)
    learned = plane.coordinates(own)
    x, y = square_around(learned, resolution)
    of = {"learner": run.fingerprint, "resolution": resolution, "examples": examples}
    parts = Parts(run.directory.analyses / f"{NAME}.parts.json", of)
    tasks: list[TaskOnPlane] = []
    for task in (chosen := _evenly_spread(len(run.tasks), _MOST_TASKS)):
        accuracy = _accuracy(run, task, examples)
        through = plane.through(own[task])
        rows = []
        for number, height in enumerate(y, start=1):
            points = through.points(np.stack([x, np.full_like(x, height)], axis=1))
            rows.append(parts.get(f"task {task + 1}, row {number}", accuracy, points))
            advanced(len(tasks) * resolution + number, len(chosen) * resolution)
        (best,) = accuracy(own[[task]])
        remembered = share_near(np.array(rows), best, TOLERANCE)
        tasks.append(TaskOnPlane(task + 1, run.tasks[task].name, rows, best, remembered))
    return AccuracyOverPlane(
        run=run.title,
        dimensions=own.shape[1],
        explained=None if plane.explained is None else tuple(plane.explained.tolist()),
        x=x.tolist(),
        y=y.tolist(),
        learned=[tuple(place) for place in learned.tolist()],
        examples=examples,
        tasks=tasks,
    )


def _accuracy(run: FinishedRun, task: int, examples: int) -> Callable[[np.ndarray], list[float]]:
    """From embeddings, `[points, dimensions]`, to accuracies on that many test examples of a task, always the same."""
    test = run.tasks[task].test
    assert test is not None
    inputs, labels = test.draw(examples, Seeds(run.experiment.seed, (NAME, task)))
    like = run.learner.hypernetwork.readout

    def accuracies(embeddings: np.ndarray) -> list[float]:
        found: list[float] = accuracy_at(
            run.learner, torch.from_numpy(embeddings).to(like), inputs, labels, task
        ).tolist()
        return found

    return accuracies


def _evenly_spread(number: int, most: int) -> list[int]:
    """At most so many of the numbers from 0 up, the first and the last among them.

    Example:
        >>> _evenly_spread(3, 12), _evenly_spread(100, 4)
        ([0, 1, 2], [0, 33, 66, 99])
    """
    return [round(float(place)) for place in np.linspace(0, number - 1, min(number, most))]


def embedding_plane_chart(result: AccuracyOverPlane) -> altair.ConcatChart:
    """Chart of the accuracy as color, a panel a task; learned embeddings are marked, that of the panel's in orange."""
    panels = [_panel(result, task) for task in result.tasks]
    shown = "" if len(panels) == len(result.learned) else f"; {len(panels)} of {len(result.learned)} tasks"
    meaning = "each panel: the plane through its task's embedding (orange), along the principal axes; others projected"
    if result.explained is None:
        meaning = "numbers: learned embeddings; orange: that of the panel's task"
    return altair.concat(*panels, columns=min(3, math.ceil(math.sqrt(len(panels))))).properties(
        title=altair.TitleParams(
            f"{result.run}: accuracy of the network generated from any embedding",
            subtitle=[f"up to {result.examples} test images of each task{shown}", meaning],
        )
    )


def embedding_plane_text(result: AccuracyOverPlane) -> Iterator[str]:
    """Lines for a terminal, one for each task below a head."""
    yield f"{'task':>4}  {'at its embedding':>16}  {f'within {100 * TOLERANCE:g} point of it':>20}"
    for task in result.tasks:
        yield f"{task.number:>4}  {100 * task.at_embedding:>14.2f} %  {100 * task.remembered:>7.1f} % of the plane"


def _panel(result: AccuracyOverPlane, task: TaskOnPlane) -> altair.LayerChart | altair.FacetChart:
    rows = chart_of(list(_cells(result, task)))
    width, height = ((places[1] - places[0]) for places in (result.x, result.y))
    cells = (
        rows.transform_flatten(["x", "accuracy"])
        .transform_calculate(
            left=f"datum.x - {0.5 * width}",
            right=f"datum.x + {(0.5 + _OVERLAP) * width}",
            below=f"datum.y - {0.5 * height}",
            above=f"datum.y + {(0.5 + _OVERLAP) * height}",
        )
        .mark_rect(aria=False, clip=True)
    )
    scale = altair.Scale(scheme=SEQUENTIAL, domain=[0, 100])
    surface = cells.encode(
        x=altair.X("left:Q", title=_axis(result, 0), scale=_scale(result.x)),
        x2="right:Q",
        y=altair.Y("below:Q", title=_axis(result, 1), scale=_scale(result.y)),
        y2="above:Q",
        color=altair.Color("accuracy:Q", title="accuracy (%)", scale=scale),
        tooltip=[
            altair.Tooltip("x:Q", title=_axis(result, 0), format=".3f"),
            altair.Tooltip("y:Q", title=_axis(result, 1), format=".3f"),
            altair.Tooltip("accuracy:Q", title="accuracy (%)", format=".1f"),
        ],
    )
    return altair.layer(surface, *_marks(result, task)).properties(
        width=_SIDE, height=_SIDE, title=f"task {task.number}: {task.name}"
    )


def _cells(result: AccuracyOverPlane, task: TaskOnPlane) -> Iterator[dict[str, Any]]:
    """A row of the plane as one entry, which makes a page with many of them a quarter as long."""
    across = [round(x, 4) for x in result.x]
    for y, row in zip(result.y, task.accuracy, strict=True):
        yield {"x": across, "y": round(y, 4), "accuracy": [round(100 * accuracy, 2) for accuracy in row]}


def _marks(result: AccuracyOverPlane, task: TaskOnPlane) -> tuple[altair.Chart, altair.Chart]:
    few = len(result.learned) <= _MOST_NUMBERED
    places = [
        {"x": x, "y": y, "number": str(number) if few or number == task.number else "", "own": number == task.number}
        for number, (x, y) in enumerate(result.learned, start=1)
    ]
    places.sort(key=lambda place: bool(place["own"]))  # on top of the others
    base = chart_of(places).encode(x="x:Q", y="y:Q", tooltip=[altair.Tooltip("number:N", title="embedding of task")])
    fill = altair.condition("datum.own", altair.value(COLORS[1]), altair.value("white"))
    radius = altair.condition("datum.own", altair.value(230), altair.value(130))
    disks = base.mark_circle(opacity=1, stroke="black", strokeWidth=1).encode(color=fill, size=radius)
    numbers = base.mark_text(fontSize=10, fontWeight="bold", color="black").encode(text="number:N")
    return disks, numbers


def _scale(places: list[float]) -> altair.Scale:
    half = (places[1] - places[0]) / 2
    return altair.Scale(domain=[float(np.min(places)) - half, float(np.max(places)) + half], nice=False, zero=False)


def _axis(result: AccuracyOverPlane, number: int) -> str:
    if result.explained is None:
        return f"embedding, {('first', 'second')[number]} number"
    return f"principal axis {number + 1} ({100 * result.explained[number]:.0f} % of variance)"


ANALYSIS = Analysis(
    name=NAME,
    help="""Test accuracy over a plane of embeddings: how large the region is in which a task is remembered.

    The plane itself where embeddings have two dimensions, else the one through the task's own along the principal axes
    of all. Rows of the grid are kept as they are measured: give the same command again after Ctrl-C.
    """,
    compute=embedding_plane,
    result=AccuracyOverPlane,
    chart=embedding_plane_chart,
    lines=embedding_plane_text,
    title="Accuracy of the network generated from any embedding",
    alternative="Test accuracy over a plane of embeddings, a panel a task: how large the region is that remembers it.",
    options=(
        Option("resolution", "integer", 41, "N", "Points in each direction.", most=1000),
        Option("examples", "integer", 1000, "N", "Test examples of each task to ask, at most."),
    ),
    steps="rows",
    resumable=True,
)
