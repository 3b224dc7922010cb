"""Run directories as a run would leave them, without the learning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hypermnesia.evaluation import average_accuracy, forgetting
from hypermnesia.experiments.settings.config import load
from hypermnesia.experiments.single_run.records import Records
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.problems import ACCURACY, Metric

ENVIRONMENT = {"started": "2026-01-01T00:00:00+00:00", "command": ["hypermnesia", "run"], "torch": "2.13.0"}


def triangle(tasks: int, first: float = 0.99, last: float = 0.9) -> np.ndarray:
    """`first` right after each task, `last` after the last one, and evenly between."""
    matrix = np.full((tasks, tasks), np.nan)
    for task in range(tasks):
        matrix[task:, task] = np.linspace(first, last, tasks - task) if task < tasks - 1 else first
    return matrix


def write_run(
    path: Path,
    *overrides: str,
    preset: str = "split-digits",
    matrix: np.ndarray | None = None,
    metric: Metric = ACCURACY,
    learned: int | None = None,
    inferred: Sequence[Sequence[int]] | None = None,
    replayed: tuple[int, ...] | None = None,
) -> Path:
    """A run of `preset`, finished unless `learned` says after how many tasks it stands; returns `path`.

    Args:
        path: Of the directory.
        overrides: Settings.
        preset: Likewise.
        matrix: Accuracies or errors after all tasks.
        metric: Which of them.
        learned: Tasks so far.
        inferred: Counts of inferred tasks.
        replayed: Shape of a replayed input.
    """
    experiment = load(preset, overrides)
    matrix = triangle(3) if matrix is None else matrix
    count = len(matrix)
    tasks = [f"digits {2 * task}/{2 * task + 1}" for task in range(count)]
    known = count if learned is None else learned
    directory = RunDirectory(path)
    directory.open(experiment, ENVIRONMENT, resume=False)
    records = Records(directory.metrics)
    for step in range(1, 10 * known + 6 * (learned is not None)):
        scalars = {"loss": 1 / step, "accuracy": 1 - 0.5 / step, "task_loss": 0.9 / step}
        records.add(kind="step", step=step, task=(step - 1) // 10, iteration=(step - 1) % 10 + 1, **scalars)
    records.close()
    if known:
        directory.write_matrix(matrix[:known], tasks, metric)
        directory.write_timing([(task, 10, 2.5, 0.25) for task in tasks[:known]])
    if inferred is not None:
        directory.write_task_inference(inferred, tasks)
    if replayed is not None:
        images = [torch.linspace(0, 1, 3 * int(np.prod(replayed))).reshape(3, *replayed) for _ in range(known)]
        directory.write_replay(images, [1 - each for each in images])
    if learned is None:
        directory.write_summary(
            {
                "name": experiment.name,
                "seed": experiment.seed,
                f"average_{metric.name}": average_accuracy(matrix),
                f"scenario_{metric.name}": {experiment.scenario: average_accuracy(matrix)},
                "forgetting": forgetting(matrix),
                "compression": 0.8,
                "num_weights": 1234,
                "memory_bytes": [5000 + 100 * task for task in range(count)],
            }
        )
    return path
