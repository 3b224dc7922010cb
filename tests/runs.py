"""Experiments as the command line makes them, and runs as their directories tell them, without the learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.evaluation import average_accuracy, forgetting
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun, Timing
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.sources import assignments
from hypermnesia.experiments.single_run.records import Records
from hypermnesia.experiments.single_run.rundir import RunDirectory

ENVIRONMENT = {"started": "2026-01-01T00:00:00+00:00", "command": ["hypermnesia", "run"], "torch": "2.13.0"}


def load(source: str, settings: Sequence[str] = (), method: str | None = None) -> Experiment:
    """The experiment that people name by a preset or file, by settings as they type them, and by a method."""
    return load_experiment(source, assignments(settings), method)


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
    method: str | None = None,
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
        method: Likewise.
        matrix: Accuracies or errors after all tasks.
        metric: Which of them.
        learned: Tasks so far.
        inferred: Counts of inferred tasks.
        replayed: Shape of a replayed input.
    """
    experiment = load(preset, overrides, method)
    matrix = triangle(3) if matrix is None else matrix
    count = len(matrix)
    tasks = [f"digits {2 * task}/{2 * task + 1}" for task in range(count)]
    known = count if learned is None else learned
    directory = RunDirectory(path)
    with directory.opened(experiment, ENVIRONMENT, resume=False, overwrite=True):
        pass
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


def recorded(
    experiment: Experiment, matrix: np.ndarray, *, metric: Metric = ACCURACY, finished: bool = True, **summary: Any
) -> RecordedRun:
    """What is read of a run that has measured this, ten steps of a quarter of a second in each task.

    Args:
        experiment: What was run.
        matrix: Accuracies or errors, as far as they are measured.
        metric: Which of them.
        finished: Whether there is a summary.
        summary: What it holds beside the average in the scenario of the experiment.
    """
    tasks = tuple(f"task {number + 1}" for number in range(matrix.shape[1]))
    averages: Mapping[str, float] = {experiment.scenario: float(matrix[-1].mean())}
    return RecordedRun(
        path=Path("runs") / f"{experiment.name}-seed{experiment.seed}",
        settings=experiment.model_dump(mode="json"),
        experiment=experiment,
        environments=[ENVIRONMENT],
        tasks=tasks,
        metric=metric,
        matrix=matrix,
        inferred=None,
        steps=[],
        replay=None,
        timing=[Timing(task, 10, 2.5, 0.25) for task in tasks[: len(matrix)]],
        summary={f"scenario_{metric.name}": averages, **summary} if finished else None,
    )
