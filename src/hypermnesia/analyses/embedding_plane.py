"""Test accuracy over a plane of embeddings: how large the region is in which a task is remembered.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, its figure of the
two-dimensional embedding space of split MNIST.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from hypermnesia.analyses.parts import Parts
from hypermnesia.analyses.results import Advanced
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.embeddings import EmbeddingPlane, accuracy_at, plane_of, share_near, square_around
from hypermnesia.experiments.recorded_runs.finished import FinishedRun
from hypermnesia.seeds import Seeds

NAME = "embedding-plane"
TOLERANCE = 0.01
"""How far below the accuracy at its embedding a task still counts as remembered."""
_MOST_TASKS = 12


@dataclasses.dataclass(frozen=True)
class TaskOnPlane:
    """One task's test accuracy over the plane.

    Attributes:
        number: Of the task, from 1.
        name: Of the task.
        accuracy: From 0 to 1; a row for each y, a column for each x.
        at_embedding: Accuracy on the same examples at the task's embedding itself.
        remembered: Which part of the square has at most 0.01 less than that.
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
        dimensions: Of an embedding.
        explained: Which fraction of the learned embeddings' variance lies along each axis; None where an embedding has
            no other dimensions.
        x: Where along the first axis.
        y: Where along the second axis.
        learned: x and y of every learned embedding. That of a task lies in the plane looked at; others may lie off it,
            and these are their projections.
        examples: How many test examples of each task were asked, at most.
        tasks: All of them, or as many as can be looked at, evenly spread.
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
    run: FinishedRun, resolution: int, examples: int, advanced: Advanced = lambda done, of: None
) -> AccuracyOverPlane:
    """Measure test accuracies over a plane of embeddings; the plane itself where these have two dimensions.

    For embeddings of more, it is the plane through the task's own along the two principal axes of all learned ones.
    Every row of the grid is kept as soon as it is measured.

    Args:
        run: What to look into.
        resolution: Points in each direction.
        examples: Test examples of each task to ask, drawn at random once.
        advanced: Is told of every row.

    Raises:
        ConfigurationError: There is no such plane, or nothing to see on it.
    """
    if resolution < 2:
        raise ConfigurationError(f"--resolution must be at least 2, not {resolution}.")
    if examples < 1:
        raise ConfigurationError(f"--examples must be at least 1, not {examples}.")
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
            rows.append(parts.get(f"task {task + 1}, row {number}", _row, accuracy, through, x, height))
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


_Accuracy = Callable[[np.ndarray], list[float]]
"""From embeddings, `[points, dimensions]`, to the accuracies of their networks."""


def _accuracy(run: FinishedRun, task: int, examples: int) -> _Accuracy:
    """What tells accuracies on that many test examples of a task, the same ones for all embeddings."""
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


def _row(accuracy: _Accuracy, plane: EmbeddingPlane, x: np.ndarray, height: float) -> list[float]:
    return accuracy(plane.points(np.stack([x, np.full_like(x, height)], axis=1)))


def _evenly_spread(number: int, most: int) -> list[int]:
    """At most so many of the numbers from 0 up, the first and the last among them.

    Example:
        >>> _evenly_spread(3, 12), _evenly_spread(100, 4)
        ([0, 1, 2], [0, 33, 66, 99])
    """
    return [round(float(place)) for place in np.linspace(0, number - 1, min(number, most))]
