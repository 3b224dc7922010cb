"""What the files of a run directory must hold. It is input from elsewhere: types, ranges and sizes are checked."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float64
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.files import read_regular
from hypermnesia.tasks.scenario import SCENARIOS

_TABLE, _HISTORY, _IMAGES = 16 << 20, 128 << 20, 64 << 20
"""Most bytes of a small file, of what was measured while learning, and of what is replayed."""
_MOST_TASKS, _MOST_CHARACTERS, _MOST_SETTINGS = 10_000, 200, 2_000
_LARGEST, _LARGEST_COUNT = 1e38, 10**15
_QUANTITY = re.compile(r"[A-Za-z][\w./ -]{0,79}", re.ASCII)


def _printable(text: str) -> str:
    if len(text) > _MOST_CHARACTERS or not text.isprintable():
        raise ValueError(f"a name must be printable, of up to {_MOST_CHARACTERS} characters")
    return text


def _short(text: str) -> str:
    if len(text) > 10_000 or "\0" in text:
        raise ValueError("a text must have no more than 10,000 characters")
    return text


Name = Annotated[str, AfterValidator(_printable)]
ShortText = Annotated[str, AfterValidator(_short)]
Count = Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]
Figure = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Fraction = Annotated[float, Field(ge=0, le=1)]
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


class _Summary(BaseModel):
    """Those figures of summary.json that are shown; older versions wrote fewer."""

    model_config = _STRICT

    compression: Figure | None = None
    num_weights: Count | None = None
    memory_bytes: list[Count] = []
    scenario_accuracy: dict[Name, Fraction] = {}
    scenario_error: dict[Name, Annotated[float, Field(ge=0, le=_LARGEST)]] = {}


class _Settings(BaseModel):
    """What settings of any version have, whatever else they have."""

    model_config = ConfigDict(strict=True, extra="allow")

    name: Name
    description: ShortText = ""
    scenario: Annotated[str, Field(pattern=f"^({'|'.join(SCENARIOS)})$")] = "task"
    seed: Count | None = None
    learner: dict[str, Any] = {}


_Environments = TypeAdapter(
    Annotated[
        list[dict[Name, ShortText | bool | int | float | list[ShortText] | None]], Field(min_length=1, max_length=1000)
    ],
    config=_STRICT,
)


def settings(directory: RunDirectory) -> dict[str, Any]:
    """Settings as they stand in config.yaml, which may be those of another version.

    Raises:
        HypermnesiaError: It is no readable YAML file with a mapping in it.
        ValueError: They are none of a run.
    """
    values = sources.read_file(directory.config, within=directory.path)
    _Settings.model_validate(values)
    flat = sources.flatten(values)
    if len(flat) > _MOST_SETTINGS or any(len(key) > _MOST_CHARACTERS for key in flat):
        raise ValueError(
            f"there must be up to {_MOST_SETTINGS:,} settings, with names of {_MOST_CHARACTERS} characters"
        )
    for value in flat.values():
        _short(str(value))
    method = values.get("learner", {}).get("method", "")
    if not isinstance(method, str):
        raise ValueError("learner.method must be a text")
    return values


def environments(directory: RunDirectory) -> list[Mapping[str, Any]]:
    """Versions and device, one entry each time the run was started or resumed.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is damaged.
    """
    return list(_Environments.validate_json(_bytes(directory, directory.environment)))


def summary(directory: RunDirectory) -> Mapping[str, Any]:
    """Figures at the end.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is damaged.
    """
    return _Summary.model_validate_json(_bytes(directory, directory.summary)).model_dump()


def matrix(
    directory: RunDirectory, metric: Metric, *, finished: bool
) -> tuple[tuple[str, ...], Float64[np.ndarray, "learned tasks"]]:
    """Names of all tasks, and what was measured after each one learned so far; NaN = not measured.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is damaged.
    """
    tasks, rows = _table(directory, directory.matrix(metric))
    values = np.array([[_number(cell) if cell else math.nan for cell in row] for row in rows], dtype=np.float64)
    values = values.reshape(len(rows), len(tasks))
    largest = 1 if metric is ACCURACY else _LARGEST
    if not tasks or len(rows) > len(tasks) or (values < 0).any() or (values > largest).any():
        raise ValueError(f"it must hold a row for each learned task, of numbers from 0 to {largest:g}")
    if np.isnan(np.diagonal(values)).any():
        raise ValueError(f"the {metric.name} on a new task is not there")
    if finished and (len(values) < len(tasks) or np.isnan(values[-1]).any()):
        raise ValueError(f"the run is finished, but the {metric.name} after the last task is not there")
    return tasks, values


def counts(directory: RunDirectory) -> np.ndarray:
    """How many test inputs of each task (row) were inferred to be of which task (column).

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is damaged.
    """
    tasks, rows = _table(directory, directory.task_inference)
    values = np.array([[_count(cell) for cell in row] for row in rows], dtype=np.int64)
    if not tasks or values.shape != (len(tasks), len(tasks)):
        raise ValueError("it must hold as many rows as columns, of counts")
    return values


def timing(directory: RunDirectory) -> list[tuple[Any, ...]]:
    """Name, iterations, seconds of learning and seconds of evaluation of each finished task.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError, KeyError: It is damaged.
    """
    rows = list(csv.DictReader(_text(directory, directory.timing)))
    if any(None in row.values() for row in rows):
        raise ValueError("rows differ in length")
    found = []
    for row in rows:
        seconds = [_number(row[name]) for name in ("learning_seconds", "evaluation_seconds")]
        if (iterations := _count(row["iterations"])) < 1 or min(seconds) < 0:
            raise ValueError("every task must have iterations, and no times below 0")
        found.append((_printable(row["task"]), iterations, *seconds))
    return found


def steps(directory: RunDirectory, *, finished: bool) -> list[Mapping[str, float]]:
    """Measurements while learning, in order.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError, KeyError, TypeError: It is damaged.
    """
    text = read_regular(directory.metrics, _HISTORY, within=directory.path).decode()
    whole, _, rest = text.rpartition("\n")  # a run that goes on may be writing the last line right now
    if finished and rest:
        raise ValueError("it ends amid a line, though the run is finished")
    records = [_json(line) for line in whole.splitlines()]
    fixed = ("kind", "step", "task", "iteration")
    return [
        {"step": _figure(r["step"], least=0), **{_quantity(k): _figure(v) for k, v in r.items() if k not in fixed}}
        for r in records
        if r["kind"] == "step"
    ]


def replay(directory: RunDirectory) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs of each task as remembered right after it, and after the newest one.

    Raises:
        CheckpointError: The file is damaged.
        OSError: There is no such file, or it cannot be read.
        ValueError, TypeError: It holds something else.
    """
    read_regular(directory.replay, _IMAGES, within=directory.path)
    saved = directory.read_replay()
    early, late = ([inputs.numpy() for inputs in part] for part in saved or ([], []))
    every = [*early, *late]
    if not early or len(early) != len(late) or len({(each.shape, each.dtype.kind) for each in every}) != 1:
        raise ValueError("it must hold as many inputs, of one shape, of each task early and late")
    if not early[0].size or early[0].dtype.kind not in "fu" or not all(np.isfinite(each).all() for each in every):
        raise ValueError("it must hold finite numbers")
    return early, late


def _bytes(directory: RunDirectory, file: Path) -> bytes:
    return read_regular(file, _TABLE, within=directory.path)


def _text(directory: RunDirectory, file: Path) -> io.StringIO:
    return io.StringIO(_bytes(directory, file).decode(), newline="")


def _json(text: str) -> Any:
    """Value of a JSON text; Python's own words for numbers that are none are refused, as in all other JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    return json.loads(text, parse_constant=refuse)


def _figure(value: Any, least: float = -_LARGEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LARGEST:
        raise ValueError(f"{str(value)[:40]} is no number from {least:g} to {_LARGEST:g}")
    return float(value)


def _quantity(name: str) -> str:
    if not _QUANTITY.fullmatch(name):
        raise ValueError("what was measured must have a name of up to 80 letters, digits, spaces and ._/-")
    return name


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)) or abs(number) > _LARGEST:
        raise ValueError(f"{text[:40]} is no finite number")
    return number


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 16 or int(text) > _LARGEST_COUNT:
        raise ValueError(f"{text[:40]!r} is no count")
    return int(text)


def _table(directory: RunDirectory, file: Path) -> tuple[tuple[str, ...], Sequence[Sequence[str]]]:
    """The head and the other rows of a table whose first column holds names, without that column."""
    rows = list(csv.reader(_text(directory, file)))
    if not rows:
        raise ValueError("it is empty")
    head, *rows = rows
    if len(head) > _MOST_TASKS or not all(len(row) == len(head) for row in rows):
        raise ValueError("rows differ in length, or are too long")
    return tuple(map(_printable, head[1:])), [row[1:] for row in rows]
