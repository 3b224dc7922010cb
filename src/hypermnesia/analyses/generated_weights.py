"""What is remembered where: weights of tasks beside each other, how far they drift, and what they are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from hypermnesia.analyses.results import Advanced
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


@dataclasses.dataclass(frozen=True)
class Drift:
    """How far the weights generated for a task have moved since it was learned, relative to their size then.

    Attributes:
        task: Its number, from 1.
        learned: Tasks learned by now.
        total: Of all weights together.
        layers: Of each layer.
    """

    task: int
    learned: int
    total: float
    layers: list[float]


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """The singular values of the features of all tasks and chunks.

    Attributes:
        singular_values: The largest first.
        shares: For each task, its part of the energy in each direction.
        dimensions: Directions that hold 99 % of the energy.
    """

    singular_values: list[float]
    shares: list[list[float]]
    dimensions: int


@dataclasses.dataclass(frozen=True)
class GeneratedWeights:
    """What the hypernetwork generates for its tasks.

    Attributes:
        run: Name of the experiment and seed, for people.
        tasks: Names.
        layers: Of the target network, as its modules are called.
        distances: Between the weights of each two tasks, relative: 0 for the same, √2 for orthogonal ones.
        drift: Of each task after each later one; None where the run did not keep its learners.
        spectrum: Of the features.
    """

    run: str
    tasks: list[str]
    layers: list[str]
    distances: list[list[float]]
    drift: list[Drift] | None
    spectrum: Spectrum


def generated_weights(run: FinishedRun, advanced: Advanced = lambda done, of: None) -> GeneratedWeights:
    """Look at the weights of all tasks, and, where the run kept its learners, at how they got there.

    Args:
        run: What to look into.
        advanced: Is told of every kept learner.

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
