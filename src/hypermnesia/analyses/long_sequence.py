"""What a long sequence does: what is left of each task, and what a step costs as tasks become many.

A run that is still going on, or was interrupted, is analyzed as far as it is.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.recorded_runs.recorded import read_matrix, read_timing
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.problems import ACCURACY, CLASSIFICATION

T = TypeVar("T")

NAME = "long-sequence"
_SMOOTHED_FROM = 20  # tasks


@dataclasses.dataclass(frozen=True)
class LongSequence:
    """What was measured of each task that is learned and tested.

    Args:
        title: What was run.
        tasks: Their names.
        planned: How many there will be.
        right_after: Test accuracy in [0, 1] on each, right after it.
        at_end: The same after the newest task; None where it was not measured.
        milliseconds: Of an optimizer step; what a method does at the end of a task counts too.

    Example:
        >>> run = LongSequence("a run", ("1", "2", "3"), 5, (0.9, 1.0, 1.0), (0.8, 0.9, 1.0), (5.0, 6.0, 6.5))
        >>> run.window, run.early_milliseconds, run.late_milliseconds
        (1, 6.0, 6.5)
    """

    title: str
    tasks: tuple[str, ...]
    planned: int
    right_after: tuple[float, ...]
    at_end: tuple[float | None, ...]
    milliseconds: tuple[float, ...]

    @property
    def caption(self) -> str:
        """What was run, and how many of its tasks."""
        number = len(self.tasks)
        return f"{self.title}, " + (
            f"{number} tasks" if number == self.planned else f"{number} of {self.planned} tasks so far"
        )

    @property
    def window(self) -> int:
        """Over how many tasks to average a curve: an odd number, about a tenth of them; 1 if they are few."""
        number = len(self.tasks)
        return max(5, number // 10 | 1) if number >= _SMOOTHED_FROM else 1

    @property
    def early_milliseconds(self) -> float | None:
        """Median of the tasks after the first, which has no past to protect, over a window; None without any."""
        early = self.milliseconds[1 : 1 + self.window]
        return statistics.median(early) if early else None

    @property
    def late_milliseconds(self) -> float | None:
        """Median of the newest tasks, over a window; None where there is a first one only."""
        return statistics.median(self.milliseconds[-self.window :]) if self.early_milliseconds else None

    @property
    def largest_loss(self) -> float | None:
        """By how much the task that has lost the most is worse than right after it; None if it was not measured."""
        pairs = zip(self.right_after, self.at_end, strict=True)
        return max((before - after for before, after in pairs if after is not None), default=None)


def long_sequence(directory: RunDirectory) -> LongSequence:
    """What the directory of a run tells, whether it is finished or not.

    Args:
        directory: Of the run; is only read.

    Raises:
        ConfigurationError: There is no run, no task is learned yet, or a file is damaged.
    """
    if not directory.is_run():
        raise ConfigurationError(f"{directory.path} holds no run; name a directory that `hypermnesia run` made.")
    experiment = directory.read_experiment()
    if experiment.problem is not CLASSIFICATION:
        raise ConfigurationError(f"{directory.path}: its tasks ask for numbers; accuracies are of classes.")
    none_yet = f"{directory.path}: no task has been learned yet; wait until one is."
    if not directory.matrix(ACCURACY).exists():
        raise ConfigurationError(none_yet)
    names, matrix = _read(directory.matrix(ACCURACY), lambda file: read_matrix(file, ACCURACY))
    milliseconds = _read(directory.timing, _milliseconds)
    # The tables are written one after the other, so a run that goes on may have a row more in one.
    learned = min(len(matrix), len(milliseconds))
    if not learned:
        raise ConfigurationError(none_yet)
    return LongSequence(
        title=f"{experiment.name}, {experiment.scenario}-incremental, seed {experiment.seed}",
        tasks=names[:learned],
        planned=len(names),
        right_after=tuple(np.diagonal(matrix)[:learned].tolist()),
        at_end=tuple(None if math.isnan(value) else value for value in matrix[learned - 1, :learned].tolist()),
        milliseconds=milliseconds[:learned],
    )


def _read(file: Path, reading: Callable[[Path], T]) -> T:
    try:
        return reading(file)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ConfigurationError(f"{file} is damaged or missing: {error}.") from error


def _milliseconds(file: Path) -> tuple[float, ...]:
    return tuple(1000 * task.learning_seconds / task.iterations for task in read_timing(file))
