"""What a finished run has learned, in use: its answers, and files for other programs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hypermnesia.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from hypermnesia.learners import ContinualLearner, Prediction

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.", show_default=False)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]


def export(
    run: Run,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="File to write: .onnx, .pt2 (torch.export) or .safetensors (a state dict)."),
    ],
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Number, from 0, or name of a task. [default: all in one file]")
    ] = None,
) -> None:
    """Write one task's network, or all tasks in one file, for programs that know nothing of hypermnesia."""
    from hypermnesia.experiments.recorded_runs.learned import open_learner
    from hypermnesia.exporting import export as write

    write(open_learner(run), out, _number_or_name(task))
    print(f"written to {out}")


def predict(
    run: Run,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Inputs: pictures of any size, .npy arrays of inputs, or .csv files of numbers, an input a line.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Number, from 0, or name of their task. [default: inferred]")
    ] = None,
    device: Device = "cpu",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV file to write. [default: standard output]")
    ] = None,
) -> None:
    """Answer for inputs from files, by a CSV line for each: file, place in it, task, label, class, certainty."""
    from hypermnesia.experiments.recorded_runs.learned import open_learner
    from hypermnesia.files import write_atomically

    learner = open_learner(run, device)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for file in files:
        inputs = _inputs(file, learner)
        answer = learner.predict(inputs, _number_or_name(task))
        header, rows = _table(answer)
        if file is files[0]:
            writer.writerow(["file", "input", *header])
        writer.writerows([file, number, *row] for number, row in enumerate(rows))
    if out is None:
        print(lines.getvalue(), end="")
    else:
        write_atomically(out, lines.getvalue().encode())
        print(f"written to {out}")


def _number_or_name(task: str | None) -> int | str | None:
    return int(task) if task is not None and task.isdecimal() else task


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


def _inputs(file: Path, learner: ContinualLearner) -> Tensor:
    """Inputs of a file, in the shape that was learned."""
    import numpy as np
    import torch

    shape = learner.input_shape
    assert isinstance(shape, tuple)  # the application knows no others
    assert shape is not None
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    try:
        match file.suffix.lower():
            case ".npy":
                inputs = torch.from_numpy(np.load(file, allow_pickle=False))
            case ".csv":
                inputs = torch.from_numpy(np.loadtxt(file, delimiter=",", ndmin=2, dtype=np.float32))
            case _:
                return _picture(file, shape)
    except (ValueError, TypeError, EOFError) as error:
        raise DataError(f"{file} holds no inputs ({error}): give a .npy array or a .csv file of numbers") from error
    if inputs.numel() % torch.Size(shape).numel() or inputs.ndim == 0:
        raise DataError(f"{file} holds {list(inputs.shape)} numbers, but inputs have shape {list(shape)}")
    return inputs.reshape(-1, *shape)


def _picture(file: Path, shape: tuple[int, ...]) -> Tensor:
    """A picture as one input, in the size and with the colors that were learned."""
    import numpy as np
    import torch
    from PIL import Image, UnidentifiedImageError

    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ConfigurationError(
            f"{file}: what was learned are no pictures but inputs of shape {list(shape)}; give .npy or .csv files"
        )
    channels, height, width = shape
    try:
        with Image.open(file) as image:
            pixels = np.array(image.convert("L" if channels == 1 else "RGB").resize((width, height)))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is no picture that can be read ({error})") from error
    return torch.from_numpy(pixels).reshape(1, height, width, channels).permute(0, 3, 1, 2)
