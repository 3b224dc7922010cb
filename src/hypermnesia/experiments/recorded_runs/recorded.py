"""A run as its directory tells it: finished or not, whole or damaged, of this version or of another."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64, Int

from hypermnesia.errors import CheckpointError, ConfigurationError, HypermnesiaError
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.problems import ACCURACY, ERROR, Metric
from hypermnesia.settings import checked

T = TypeVar("T")


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
            found = list(directories(path))
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}.")
            continue
        if not found:
            problems.append(f"{path} {_no_run(path)}.")
        for directory in found:
            try:
                RunDirectory(directory).check_format()
            except ConfigurationError as error:
                problems.append(f"{error} It is left out.")
                continue
            if directory.resolve() not in runs:
                runs[directory.resolve()] = read_run(directory)
    problems += [problem for run in runs.values() for problem in run.problems]
    return list(runs.values()), problems


def directories(path: Path) -> Iterator[Path]:
    """The run directory that `path` is, or those that it holds, by name."""
    if _is_run(path):
        yield path
    elif path.is_dir():
        yield from sorted(folder for folder in path.iterdir() if not folder.name.startswith(".") and _is_run(folder))


def read_run(path: Path, *, history: bool = True) -> RecordedRun:
    """Read a run directory; what is missing though it should be there, or is damaged, becomes a problem.

    Args:
        path: The directory.
        history: Whether to read what was measured while learning and what is replayed, which takes longer.
    """
    directory = RunDirectory(path)
    problems: list[str] = []

    def part(file: Path, reading: Callable[[Path], T], otherwise: T, *, needed: bool) -> T:
        try:
            if needed or file.exists():
                return reading(file)
        except FileNotFoundError:
            problems.append(f"{file} is missing; it is done without.")
        except HypermnesiaError as error:
            problems.append(f"{str(error).rstrip('.')}; it is done without.")
        except Exception as error:  # whatever may stand in a file that somebody has changed
            problems.append(f"{file} is damaged ({_reason(error)}); it is done without.")
        return otherwise

    finished = directory.summary.exists()
    summary = part(directory.summary, _summary, None, needed=False)
    metric = ERROR if directory.matrix(ERROR).exists() else ACCURACY
    nothing: tuple[tuple[str, ...], np.ndarray] = ((), np.empty((0, 0)))
    reading = _whole_matrix if finished else _matrix
    tasks, matrix = part(directory.matrix(metric), lambda file: reading(file, metric), nothing, needed=finished)
    no_settings: dict[str, Any] = {}
    settings = part(directory.config, lambda file: sources.read_file(file), no_settings, needed=True)
    experiment = None
    try:
        experiment = checked(Experiment, settings, f"{directory.config} cannot be run.") if settings else None
    except ConfigurationError as error:
        reasons = " ".join(str(error).splitlines()[1:])
        problems.append(f"{directory.config} is of another version: {reasons} Its settings are shown as they stand.")
    return RecordedRun(
        path=path,
        settings=settings,
        experiment=experiment,
        environments=part(directory.environment, _objects, [], needed=True),
        tasks=tasks,
        metric=metric,
        matrix=matrix,
        inferred=part(directory.task_inference, _counts, None, needed=False),
        steps=part(directory.metrics, _steps, [], needed=finished) if history else [],
        replay=part(directory.replay, lambda _: _replay(directory), None, needed=False) if history else None,
        timing=part(directory.timing, _timing, [], needed=finished),
        summary=summary,
        problems=tuple(problems),
    )


def _matrix(file: Path, metric: Metric) -> tuple[tuple[str, ...], Float64[np.ndarray, "learned tasks"]]:
    """Names of all tasks, and what was measured after each one learned so far; NaN = not measured.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is damaged.
    """
    tasks, rows = _rows(file)
    matrix = np.array([[float(cell) if cell else math.nan for cell in row] for row in rows], dtype=np.float64)
    matrix = matrix.reshape(len(rows), len(tasks))
    largest = 1 if metric is ACCURACY else np.finfo(np.float64).max
    if len(rows) > len(tasks) or (matrix < 0).any() or (matrix > largest).any():
        raise ValueError(f"it must hold a row for each learned task, of numbers from 0 to {largest:g}")
    if np.isnan(np.diagonal(matrix)).any():
        raise ValueError(f"the {metric.name} on a new task is not there")
    return tasks, matrix


def _timing(file: Path) -> list[Timing]:
    """Times and memory of each finished task.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError, KeyError, TypeError: It is damaged.
    """
    seconds = ("learning_seconds", "evaluation_seconds")
    rows = csv.DictReader(_text(file))
    timing = [Timing(row["task"], int(row["iterations"]), *(_number(row[name]) for name in seconds)) for row in rows]
    if any(task.iterations < 1 for task in timing):
        raise ValueError("every task must have iterations")
    return timing


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def _no_run(path: Path) -> str:
    if path.is_dir():
        return "is no run directory, nor does it hold one: there is no config.yaml"
    return "is no directory" if path.exists() else "does not exist"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)


def _text(file: Path) -> io.StringIO:
    return io.StringIO(file.read_text("utf-8"), newline="")


def _json(text: str) -> Any:
    """Value of a JSON text; Python's own words for numbers that are none are refused, as in all other JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    return json.loads(text, parse_constant=refuse)


def _number(value: Any) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(f"{value} is no finite number")
    return number


def _rows(file: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """The head and the other rows of a table whose first column holds names, without that column."""
    rows = list(csv.reader(_text(file)))
    if not rows:
        raise ValueError("it is empty")
    head, *rows = rows
    if not all(len(row) == len(head) for row in rows):
        raise ValueError("rows differ in length")
    return tuple(head[1:]), [row[1:] for row in rows]


def _whole_matrix(file: Path, metric: Metric) -> tuple[tuple[str, ...], np.ndarray]:
    tasks, matrix = _matrix(file, metric)
    if len(matrix) < len(tasks) or np.isnan(matrix[-1]).any():
        raise ValueError(f"the run is finished, but the {metric.name} after the last task is not there")
    return tasks, matrix


def _counts(file: Path) -> np.ndarray:
    tasks, rows = _rows(file)
    counts = np.array([[int(cell) for cell in row] for row in rows])
    if counts.shape != (len(tasks), len(tasks)) or (counts < 0).any():
        raise ValueError("it must hold as many rows as columns, of counts")
    return counts


def _steps(file: Path) -> list[Mapping[str, float]]:
    # A run that goes on may be writing the last line right now.
    lines = file.read_text("utf-8").rpartition("\n")[0].splitlines()
    records = [_json(line) for line in lines]
    steps = [record for record in records if record["kind"] == "step"]
    fixed = ("kind", "step", "task", "iteration")
    return [{"step": _number(r["step"]), **{k: _number(v) for k, v in r.items() if k not in fixed}} for r in steps]


def _replay(directory: RunDirectory) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    saved = directory.read_replay()
    if saved is None:
        return None
    early, late = ([inputs.numpy() for inputs in part] for part in saved)
    if len(early) != len(late) or len({each.shape for each in (*early, *late)}) != 1 or not early[0].size:
        raise CheckpointError(f"{directory.replay} must hold as many inputs, of one shape, of each task early and late")
    return early, late


def _summary(file: Path) -> Mapping[str, Any]:
    value = _json(file.read_text("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("it must hold a JSON object")
    # Older versions wrote fewer figures; those that are there must be numbers.
    figures = [value[name] for name in ("compression", "num_weights") if value.get(name) is not None]
    averages = [value.get(f"scenario_{metric.name}", {}) for metric in (ACCURACY, ERROR)]
    for figure in (*figures, *value.get("memory_bytes", []), *(v for found in averages for v in found.values())):
        _number(figure)
    return value


def _objects(file: Path) -> list[Mapping[str, Any]]:
    value = _json(file.read_text("utf-8"))
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError("it must hold a JSON list of objects")
    return value
