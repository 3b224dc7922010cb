"""What a finished run has learned, in use: its answers, and files for other programs."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hypermnesia.cli.common import Trust, reachable, writable
from hypermnesia.errors import ConfigurationError, DataError, HypermnesiaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from hypermnesia.data import ArraysData
    from hypermnesia.learners import ContinualLearner, Prediction

Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", callback=reachable, help="Directory of a finished run.", show_default=False),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]


def export(
    run: Run,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            callback=writable,
            help="File to write: .onnx, .pt2 (torch.export) or .safetensors (a state dict).",
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="Name of a task, or else its number, from 0. [default: all in one file]"),
    ] = None,
    trust: Trust = False,
) -> None:
    """Write one task's network, or all tasks in one file, for programs that know nothing of hypermnesia."""
    from hypermnesia.experiments.recorded_runs.learned import open_learner
    from hypermnesia.exporting import export as write

    learner = open_learner(run, trust=trust)
    write(learner, out, _number_or_name(task, learner))
    print(f"written to {out}")


def predict(
    run: Run,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Inputs: pictures of any size, .npy arrays of inputs, .npz or .safetensors files with such an array, "
            "or .csv files of numbers, an input a line, with or without names of columns.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="Name of their task, or else its number, from 0. [default: inferred]"),
    ] = None,
    device: Device = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=writable, help="CSV or .json file to write. [default: standard output]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answers as a JSON list on stdout.")] = False,
    trust: Trust = False,
) -> None:
    """Answer for inputs from files, by a CSV line for each: file, place in it, task, label, class, certainty."""
    from hypermnesia.data import ArraysData
    from hypermnesia.experiments.recorded_runs.learned import open_learner
    from hypermnesia.experiments.single_run.rundir import RunDirectory
    from hypermnesia.files import write_atomically

    if as_json and out is not None:
        raise ConfigurationError("--json and --out exclude each other: give --out a name that ends in .json.")
    learner = open_learner(run, device, trust=trust)
    directory = RunDirectory(run)
    source, columns = directory.read_experiment().data, directory.read_columns()
    arrays = source if isinstance(source, ArraysData) else None
    header: list[str] = []
    answers: list[list[object]] = []
    for file in map(reachable, files):
        assert file is not None
        answer = learner.predict(_inputs(file, learner, arrays, columns), _number_or_name(task, learner))
        if len(wrong := answer.outputs.flatten(1).isnan().any(1).nonzero()):
            raise DataError(
                f"{file}: there is no answer for input {int(wrong[0])}, counted from 0: what is computed from it is no"
                " number (nan); are all its numbers finite, and of the size that was learned?"
            )
        header, rows = _table(answer)
        answers += [[str(file), number, *row] for number, row in enumerate(rows)]
    header = ["file", "input", *header]
    if as_json or (out is not None and out.suffix.lower() == ".json"):
        text = json.dumps([dict(zip(header, row, strict=True)) for row in answers], indent=2, allow_nan=False) + "\n"
    else:
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([header, *answers])
        text = lines.getvalue()
    if out is None:
        print(text, end="")
    else:
        write_atomically(out, text.encode())
        print(f"written to {out}")


def _number_or_name(task: str | None, learner: ContinualLearner) -> int | str | None:
    """The task of this name, whatever number it looks like; else that of this number."""
    if task is None or any(task == each.name for each in learner.tasks):
        return task
    return int(task) if task.isdecimal() and len(task) < 19 else task


def _table(answer: Prediction) -> tuple[list[str], Iterator[list[object]]]:
    """Names of columns, and a row for each input."""
    from hypermnesia.criteria import MeanSquaredError

    number = len(answer.outputs)
    tasks: list[object] = [""] * number if answer.task is None else answer.task.tolist()
    if isinstance(answer.criterion, MeanSquaredError):
        values = answer.values.tolist()
        header = ["task", *(f"value {place}" for place in range(answer.values.shape[1]))]
        return header, ([task, *row] for task, row in zip(tasks, values, strict=True))
    named = answer.task is not None and all(answer.tasks[task].classes is not None for task in answer.task.tolist())
    names: list[object] = list(answer.names) if named else [""] * number
    certainties: list[object] = [""] * number if answer.certainty is None else answer.certainty.tolist()
    columns = (tasks, answer.labels.tolist(), names, answer.probabilities.amax(1).tolist(), certainties)
    header = ["task", "label", "class", "probability", "certainty of the task"]
    return header, (list(row) for row in zip(*columns, strict=True))


def _inputs(file: Path, learner: ContinualLearner, arrays: ArraysData | None, columns: Sequence[str]) -> Tensor:
    """Inputs of a file, in the shape that was learned; what was learned from arrays says how its files name them."""
    import numpy as np

    from hypermnesia.data.array_files import ARRAY_FILES, read_array
    from hypermnesia.tasks.input_kind import InputKind

    shape, kind = learner.input_shape, learner.input_kind
    assert isinstance(shape, tuple)  # the application knows no others
    assert isinstance(kind, InputKind)
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    try:
        match file.suffix.lower():
            case ".npy":
                array = np.load(file, allow_pickle=False)
            case ".csv":
                array = _table_of_numbers(file, frozenset() if arrays is None else arrays.columns_apart, columns)
            case ending if ending in ARRAY_FILES:
                array = read_array(file, "inputs" if arrays is None else arrays.inputs)
            case _:
                return _picture(file, shape)
    except HypermnesiaError:
        raise
    except (ValueError, TypeError, EOFError, MemoryError, csv.Error) as error:
        reason = "it is no array of numbers" if "pickle" in str(error) else error
        raise DataError(f"{file} holds no inputs ({reason}): give a .npy array or a .csv file of numbers") from error
    return _as_learned(array, file, shape, kind.type)


def _as_learned(array: NDArray[Any], file: Path, shape: tuple[int, ...], learned: torch.dtype) -> Tensor:
    """Numbers of a file in the shape that was learned, and in a type that can mean the same.

    They have that shape, up to axes of one, or are flat. Never are they divided otherwise: what is not meant gives
    answers, too.
    """
    from hypermnesia.data.array_files import as_inputs
    from hypermnesia.tasks.arrays import as_tensor

    def without_ones(sizes: tuple[int, ...]) -> list[int]:
        return [size for size in sizes if size != 1]

    flat = math.prod(shape)
    if not array.ndim or without_ones(array.shape[1:]) not in (without_ones(shape), without_ones((flat,))):
        each = f"[n, {', '.join(map(str, shape))}]" + (f" or [n, {flat}]" if len(shape) > 1 else "")
        raise DataError(
            f"{file} holds numbers of shape {list(array.shape)}, but inputs of shape {list(shape)} were learned: give"
            f" {each}, also for a single input; in a table, {flat} columns."
        )
    array = array.reshape(len(array), *shape)
    # Whole numbers are read as floating-point ones where those were learned, as they are for learning.
    if array.dtype.kind in "iub" and not learned.is_floating_point:
        return as_tensor(array, f"{file}: inputs")
    return as_inputs(array, str(file))


def _table_of_numbers(file: Path, no_inputs: Set[str], learned: Sequence[str]) -> NDArray[Any]:
    """The numbers of a table in the order that was learned; those of columns that are no inputs are left out.

    Its first line names the columns if it has the names that were learned, or anything that is no number; without names
    they are in the order that was learned.
    """
    import numpy as np

    from hypermnesia.data.array_files import arranged

    with file.open(encoding="utf-8-sig", newline="") as stream:
        first = next(csv.reader(stream), [])
    named = not all(map(_is_number, first)) or (bool(learned) and set(learned) <= set(first))
    columns: Sequence[int] = range(len(first))
    if named:
        if len(set(first)) < len(first):
            raise DataError(f"{file}: its first line must name every column, and each once.")
        inputs = [name for name in first if name not in no_inputs]
        columns = [first.index(name) for name in arranged(inputs, learned, file)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of tables without rows, of which more is said below
        table = np.loadtxt(
            *(file, np.float64),
            delimiter=",",
            quotechar='"',
            comments=None,
            ndmin=2,
            skiprows=int(named),
            usecols=columns,
            encoding="utf-8-sig",
        )
    if not table.size:
        raise ValueError("it has no lines of numbers")
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _picture(file: Path, shape: tuple[int, ...]) -> Tensor:
    """A picture as one input, in the size and with the colors that were learned."""
    from hypermnesia.data.pictures import read_picture

    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ConfigurationError(
            f"{file}: what was learned are no pictures but inputs of shape {list(shape)}; give"
            " .npy, .npz, .safetensors or .csv files"
        )
    channels, height, width = shape
    return read_picture(file, channels, (height, width))[None]
