"""A run as its directory tells it: finished or not, whole or damaged, of this version or of another."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64, Int
from pydantic import ValidationError

from hypermnesia.criteria import ACCURACY, ERROR, Metric
from hypermnesia.errors import ConfigurationError, HypermnesiaError, shown
from hypermnesia.experiments.recorded_runs import contents
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.settings import checked

T = TypeVar("T")

_DEPTH = 3
_TRACES = {"environment.json", "metrics.jsonl", "summary.json", "accuracy.csv", "error.csv", "timing.csv"}
"""Files that only runs write."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """Time and memory that learning and testing one task took.

    Args:
        task: Its name.
        iterations: Optimizer steps.
        learning_seconds: Spent on them and on what ends a task.
        evaluation_seconds: Spent on testing it and the tasks before.
    """

    task: str
    iterations: int
    learning_seconds: float
    evaluation_seconds: float


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """Recorded run, as far as it can be read.

    Args:
        path: Its directory.
        settings: As they stand in config.yaml, in sections; empty if that cannot be read.
        experiment: The same as this version understands it; None if it does not.
        environments: Versions and device, one entry each time the run was started or resumed.
        tasks: Names of all tasks, learned or not; empty before the first one is learned.
        metric: What tasks were measured by: accuracy or error.
        matrix: Test accuracies in [0, 1], or errors, row = after task i, column = task j; NaN = not measured.
        inferred: How many test inputs of each task (row) were inferred to be of which task (column), or None.
        steps: Measurements while learning, in order.
        replay: Inputs of each task as remembered right after it, and after the newest one, not permuted; None if
            none are replayed.
        timing: Times of each finished task.
        summary: The figures at the end; None while the run is not finished.
        problems: A sentence for each thing that could not be read.
    """

    path: Path
    settings: Mapping[str, Any]
    experiment: Experiment | None
    environments: Sequence[Mapping[str, Any]]
    tasks: tuple[str, ...]
    metric: Metric
    matrix: Float64[np.ndarray, "learned tasks"]
    inferred: Int[np.ndarray, "known known"] | None
    steps: Sequence[Mapping[str, float]]
    replay: tuple[Sequence[np.ndarray], Sequence[np.ndarray]] | None
    timing: Sequence[Timing]
    summary: Mapping[str, Any] | None
    problems: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the last task is learned and everything is written down."""
        return self.summary is not None

    @property
    def learned(self) -> int:
        """Tasks learned and tested."""
        return len(self.matrix)

    @property
    def seed(self) -> int | None:
        """Root of its chance; None if that cannot be read."""
        seed = self.settings.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def averages(self) -> dict[str, float]:
        """Average accuracy (or error) after the last task by scenario; empty unless finished."""
        found = (self.summary or {}).get(f"scenario_{self.metric.name}", {})
        return {scenario: float(value) for scenario, value in found.items()}

    @property
    def progress(self) -> str:
        """Progress, in words."""
        if self.finished:
            return "finished"
        if not self.learned:
            return "learning the first task" if self.steps else "just started"
        return f"not finished: {self.learned} of {len(self.tasks)} tasks"


def find(paths: Sequence[Path]) -> tuple[list[RecordedRun], list[str]]:
    """Every run in these directories, and a sentence for each thing that could not be read.

    Args:
        paths: Run directories, or directories that hold some, as `compare` and `reproduce` make.
    """
    runs: dict[Path, RecordedRun] = {}
    problems: list[str] = []
    for path in paths:
        try:
            found = list(directories(path, problems))
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}.")
            continue
        if not found:
            problems.append(f"{path} {_no_run(path)}.")
        for directory in found:
            try:
                if not is_run(directory):
                    raise ConfigurationError(f"{directory} has no config.yaml, which every run has.")
                RunDirectory(directory).check_format()
            except ConfigurationError as error:
                problems.append(f"{error} It is left out.")
                continue
            if directory.resolve() not in runs:
                runs[directory.resolve()] = read_run(directory)
    problems += [problem for run in runs.values() for problem in run.problems]
    return list(runs.values()), problems


def directories(path: Path, problems: list[str] | None = None, depth: int = _DEPTH) -> Iterator[Path]:
    """The run directory that `path` is, or those below it, by name; also such as have lost their config.yaml.

    Args:
        path: Where to look.
        problems: Receives a sentence for each folder below that cannot be read.
        depth: Levels of folders to look through.

    Raises:
        OSError: `path` itself cannot be read.
    """
    if is_run(path):
        yield path
        return
    if not path.is_dir():
        return
    names = {entry.name for entry in path.iterdir()}
    if names & _TRACES:
        yield path
    elif depth:
        for folder in sorted(path / name for name in names if not name.startswith(".")):
            if folder.is_dir() and not folder.is_symlink():
                try:
                    yield from directories(folder, problems, depth - 1)
                except OSError as error:
                    if problems is not None:
                        problems.append(f"{folder} cannot be read: {error.strerror}. It is left out.")


def read_run(path: Path, *, history: bool = True) -> RecordedRun:
    """Read a run directory; what is missing though it should be there, or is damaged, becomes a problem.

    Args:
        path: The directory.
        history: Whether to read what was measured while learning and what is replayed, which takes longer.
    """
    directory = RunDirectory(path)
    problems: list[str] = []

    def part(file: Path, reading: Callable[[], T], otherwise: T, *, needed: bool) -> T:
        try:
            if needed or os.path.lexists(file):
                return reading()
        except FileNotFoundError:
            problems.append(f"{file} is missing; it is done without.")
        except HypermnesiaError as error:
            problems.append(f"{str(error).rstrip('.')}; it is done without.")
        except Exception as error:  # whatever may stand in a file that somebody has changed
            problems.append(f"{file} is damaged ({_reason(error)}); it is done without.")
        return otherwise

    finished = os.path.lexists(directory.summary)
    summary = part(directory.summary, lambda: contents.summary(directory), None, needed=False)
    metric = ERROR if directory.matrix(ERROR).exists() else ACCURACY
    nothing: tuple[tuple[str, ...], np.ndarray] = ((), np.empty((0, 0)))
    reading = functools.partial(contents.matrix, directory, metric, finished=finished)
    tasks, matrix = part(directory.matrix(metric), reading, nothing, needed=finished)
    no_settings: dict[str, Any] = {}
    settings = part(directory.config, lambda: contents.settings(directory), no_settings, needed=True)
    experiment = None
    try:
        experiment = checked(Experiment, settings, f"{directory.config} cannot be run.") if settings else None
    except ConfigurationError as error:
        reasons = " ".join(str(error).splitlines()[1:])
        problems.append(f"{directory.config} is of another version: {reasons} Its settings are shown as they stand.")
    read_timing = functools.partial(_timing, directory)
    read_steps = functools.partial(contents.steps, directory, finished=finished)
    run = RecordedRun(
        path=path,
        settings=settings,
        experiment=experiment,
        environments=part(directory.environment, lambda: contents.environments(directory), [], needed=True),
        tasks=tasks,
        metric=metric,
        matrix=matrix,
        inferred=part(directory.task_inference, lambda: contents.counts(directory), None, needed=False),
        steps=part(directory.metrics, read_steps, [], needed=finished) if history else [],
        replay=part(directory.replay, lambda: contents.replay(directory), None, needed=False) if history else None,
        timing=part(directory.timing, read_timing, [], needed=finished),
        summary=summary,
    )
    run, apart = _consistent(run)
    return dataclasses.replace(run, problems=(*problems, *apart))


def _timing(directory: RunDirectory) -> list[Timing]:
    return [Timing(*row) for row in contents.timing(directory)]


def _consistent(run: RecordedRun) -> tuple[RecordedRun, list[str]]:
    """The run without what does not fit the tasks that were learned, and a sentence for each such thing."""
    directory, learned = RunDirectory(run.path), run.learned
    figures = dict(run.summary or {})
    kept = figures.pop("memory_bytes", [])
    wrong: list[tuple[bool, Path, dict[str, Any]]] = [
        (run.inferred is not None and _other(len(run.inferred), run), directory.task_inference, {"inferred": None}),
        (run.replay is not None and len(run.replay[0]) > learned, directory.replay, {"replay": None}),
        (_other(len(run.timing), run), directory.timing, {"timing": []}),
        (
            bool(kept) and _other(len(kept), run),
            directory.summary,
            {"summary": figures},
        ),
    ]
    problems = []
    for is_wrong, file, without in wrong if learned else ():
        if is_wrong:
            run = dataclasses.replace(run, **without)
            problems.append(f"{file} is of another number of tasks than the {learned} learned; it is done without.")
    return run, problems


def _other(number: int, run: RecordedRun) -> bool:
    """Whether something is of more tasks than were learned, or of fewer though the run is finished."""
    return number > run.learned or (run.finished and 0 < number < run.learned)


def is_run(path: Path) -> bool:
    """Whether a run was started here."""
    return os.path.lexists(path / "config.yaml")


def _no_run(path: Path) -> str:
    if path.is_dir():
        return "is no run directory, nor does it hold one: there is no config.yaml"
    return "is no directory" if path.exists() else "does not exist"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return shown(f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": "), 200).strip("'\"")
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"there is no {error}" if isinstance(error, KeyError) else shown(str(error), 200).strip("'\"")
