"""Runs that differ in the seed only, taken together."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from hypermnesia.criteria import Metric
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import (
    average_accuracy,
    backward_transfer,
    forgetting,
    learning_accuracy,
    statistics,
    task_inference_accuracy,
)
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun, Timing
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.config import APART_FROM_SETTINGS
from hypermnesia.experiments.settings.sources import flatten


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of the same settings but for the seed: figures over seeds, in the unit of their metric.

    Figures are over the finished runs; while none is, they are those of the run that has come furthest.

    Args:
        label: Name that tells it from others.
        runs: Runs by seed; of none, there is no figure.
    """

    label: str
    runs: tuple[RecordedRun, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings as `section.key: value`, without the seed."""
        return flat_settings(self.runs[0])

    @property
    def counted(self) -> tuple[RecordedRun, ...]:
        """Runs that figures are over."""
        finished = tuple(run for run in self.runs if run.finished and run.learned)
        return finished or tuple(sorted(self.runs, key=lambda run: (run.learned, len(run.steps)))[-1:])

    @property
    def finished(self) -> bool:
        """Whether figures are final."""
        return any(run.finished for run in self.counted)

    @property
    def seeds(self) -> int:
        """Number of finished runs."""
        return sum(run.finished for run in self.runs)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of all tasks; where they depend on the seed, those of the first run."""
        return self.counted[0].tasks

    @property
    def metric(self) -> Metric:
        """Metric of the tasks: accuracy or error."""
        return self.counted[0].metric

    @property
    def matrices(self) -> Float64[np.ndarray, "seeds learned tasks"]:
        """Test accuracies in [0, 1], or errors; row = after task i, column = task j; NaN = not measured."""
        return np.array([run.matrix for run in self.counted])

    @property
    def average(self) -> Spread | None:
        """Average over the tasks learned, after the newest one; None where that was not measured."""
        return self._over_seeds(average_accuracy, last_row=True)

    @property
    def right_after(self) -> Spread | None:
        """Average over tasks, of each right after it was learned."""
        return self._over_seeds(learning_accuracy)

    @property
    def forgetting(self) -> Spread | None:
        """Forgetting: how far tasks have fallen from their best; None for a single task, too."""
        return self._over_seeds(forgetting, signed=True, last_row=True)

    @property
    def backward_transfer(self) -> Spread | None:
        """Effect of learning later tasks on earlier ones; None for a single task, too."""
        return self._over_seeds(backward_transfer, signed=True, last_row=True)

    @property
    def final(self) -> list[Spread]:
        """Accuracy or error on each task after the last one; empty without a finished run."""
        rows = [run.matrix[-1].tolist() for run in self.counted if run.finished]
        return [found for column in zip(*rows, strict=True) if (found := statistics.spread(column))]

    @property
    def first_task(self) -> Float64[np.ndarray, "seeds learned"]:
        """Accuracy or error on the first task after each; NaN where it was not measured."""
        return self.matrices[:, :, 0]

    @property
    def average_so_far(self) -> Float64[np.ndarray, "seeds learned"]:
        """Average over the tasks so far, after each; NaN where they were not all measured."""
        matrices = self.matrices
        return np.stack([matrices[:, after, : after + 1].mean(axis=1) for after in range(matrices.shape[1])], axis=1)

    def average_in(self, scenario: str) -> Spread | None:
        """Average after the last task in a scenario; None where no finished run measured it."""
        return statistics.spread([run.averages[scenario] for run in self.counted if scenario in run.averages])

    @property
    def inferred(self) -> Int[np.ndarray, "tasks tasks"] | None:
        """Number of each task's test inputs (row) inferred to be of each task (column), summed over seeds."""
        counts = [run.inferred for run in self.counted if run.inferred is not None]
        return sum(counts[1:], start=counts[0]) if counts and len({each.shape for each in counts}) == 1 else None

    @property
    def task_inference_accuracy(self) -> float | None:
        """Accuracy of task inference."""
        counts = self.inferred
        return None if counts is None or (counts.sum(1) == 0).any() else task_inference_accuracy(counts)

    @property
    def timings(self) -> Sequence[Sequence[Timing]]:
        """Timing of each run in which all learned tasks have one."""
        return [run.timing for run in self.counted if run.timing and len(run.timing) == run.learned]

    @property
    def learning_seconds(self) -> float | None:
        """Seconds spent on learning, a run."""
        return statistics.mean([sum(task.learning_seconds for task in timing) for timing in self.timings])

    @property
    def seconds(self) -> float | None:
        """Seconds spent on learning and testing, a run."""
        both = [sum(task.learning_seconds + task.evaluation_seconds for task in timing) for timing in self.timings]
        return statistics.mean(both)

    @property
    def milliseconds_per_step(self) -> float | None:
        """Milliseconds of learning for each optimizer step, what is done at the end of a task included."""
        steps = [sum(task.iterations for task in timing) for timing in self.timings]
        seconds = self.learning_seconds
        return None if seconds is None or not all(steps) else 1000 * seconds / (sum(steps) / len(steps))

    @property
    def memory_bytes(self) -> list[float]:
        """Bytes kept after each task; empty where no summary says it."""
        kept = [run.summary["memory_bytes"] for run in self.counted if run.summary and run.summary.get("memory_bytes")]
        return [sum(of_task) / len(kept) for of_task in zip(*kept, strict=False)]

    @property
    def memory_per_task(self) -> float | None:
        """Bytes by which memory grows with each further task; None for a single task."""
        kept = self.memory_bytes
        return (kept[-1] - kept[0]) / (len(kept) - 1) if len(kept) > 1 else None

    def figure(self, name: str) -> float | None:
        """Mean of a figure that only summaries have, as `compression` or `num_weights`."""
        found = [run.summary[name] for run in self.counted if run.summary and run.summary.get(name) is not None]
        return statistics.mean([float(value) for value in found])

    def _over_seeds(
        self, metric: Callable[[Any], float | None], *, signed: bool = False, last_row: bool = False
    ) -> Spread | None:
        sign = self.metric.sign if signed and self.counted else 1
        matrices = [sign * run.matrix[:, : run.learned] for run in self.counted if run.learned]
        values = [metric(matrix) for matrix in matrices if not (last_row and np.isnan(matrix[-1]).any())]
        return statistics.spread([value for value in values if value is not None])


def group(runs: Sequence[RecordedRun]) -> tuple[list[Group], list[str]]:
    """Put runs together that differ in the seed only, and say which were left out.

    Of two runs with the same settings and seed, which tell nothing that one does not, the first is kept.

    Args:
        runs: In any order; groups keep that of their first runs.
    """
    groups: dict[str, dict[int | None, RecordedRun]] = {}
    problems = []
    for run in runs:
        # Where settings cannot be read, nothing says that two runs belong together.
        key = json.dumps(flat_settings(run), sort_keys=True) if run.settings else str(run.path)
        first = groups.setdefault(key, {}).setdefault(run.seed, run)
        if first is not run:
            problems.append(f"{run.path} has the settings and the seed of {first.path}; it is left out.")
    for key, of_group in groups.items():
        groups[key], apart = _alike(of_group)
        problems += apart
    sorted_runs = [tuple(sorted(each.values(), key=lambda run: run.seed or 0)) for each in groups.values()]
    labels = _labels([each[0] for each in sorted_runs])
    return [Group(label, each) for label, each in zip(labels, sorted_runs, strict=True)], problems


def _alike(runs: Mapping[int | None, RecordedRun]) -> tuple[dict[int | None, RecordedRun], list[str]]:
    """Runs by seed that have learned as many tasks as the first finished one, and a sentence for each other."""
    first = next((run for run in runs.values() if run.finished and run.learned), None)
    if first is None:
        return dict(runs), []
    kind = (first.matrix.shape, first.metric)
    others = {seed: run for seed, run in runs.items() if run.finished and (run.matrix.shape, run.metric) != kind}
    problems = [
        f"{run.path} has the settings of {first.path}, but {run.learned} tasks instead of {first.learned}, or another"
        " metric; it is left out."
        for run in others.values()
        if run.learned
    ]
    return {seed: run for seed, run in runs.items() if seed not in others or not run.learned}, problems


def flat_settings(run: RecordedRun) -> dict[str, Any]:
    """Every setting but the seed, as `section.key: value`."""
    return {key: value for key, value in flatten(run.settings).items() if key != "seed"}


def _labels(runs: Sequence[RecordedRun]) -> list[str]:
    """The names of directories without the seed; where these agree, with the directory above or a number."""
    short = [re.sub(rf"-(seed)?{run.seed}$", "", run.path.resolve().name) for run in runs]
    above = [f"{run.path.resolve().parent.name}/{label}" for run, label in zip(runs, short, strict=True)]
    labels = [long if Counter(short)[label] > 1 else label for label, long in zip(short, above, strict=True)]
    count: Counter[str] = Counter()
    for place, label in enumerate(labels):
        count[label] += 1
        if count[label] > 1:
            labels[place] = f"{label} ({count[label]})"
    return labels


def deviations(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a run that its preset has otherwise, by their full names.

    Left out are the scenario, and what does not change what is learned. Nothing deviates where there is no such preset.

    Args:
        settings: All of a run's, by their full names.

    Example:
        >>> deviations({"name": "split-digits-si", "learner.method": "si", "training.iterations": 5, "seed": 3})
        {'training.iterations': 5}
    """
    name, method = str(settings.get("name")), str(settings.get("learner.method"))
    if name.endswith((".yaml", ".yml")):
        return {}
    try:
        scenario = {"scenario": settings.get("scenario", "task")}
        experiment = load_experiment(name.removesuffix(f"-{method}"), scenario, method)
    except ConfigurationError:
        return {}
    preset = flatten(experiment.model_dump(mode="json"))
    passed_over = APART_FROM_SETTINGS | {"scenario"}
    return {
        key: value
        for key, value in settings.items()
        if key.split(".")[0] not in passed_over and preset.get(key) != value
    }
