"""Arrays of somebody's own: NumPy's .npz, .safetensors, and tables of numbers as .csv."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import torch
from numpy.typing import NDArray
from pydantic import model_validator
from torch import Tensor

from hypermnesia.data.labeled import LabeledData
from hypermnesia.data.source import FileSettings, Text, existing
from hypermnesia.errors import DataError, did_you_mean
from hypermnesia.files import open_regular
from hypermnesia.memory import check_room

ARRAY_FILES = (".npz", ".safetensors")
"""Endings of files of arrays with names."""
_FORMS = ".npz, .safetensors or .csv"


class ArraysData(FileSettings):
    """Settings of arrays in a file: inputs, a label for each, and the task of each if the file says so.

    Labels and tasks are whole numbers or texts. Classes are in the order of their numbers, or of the alphabet; tasks in
    the order in which the file has them.

    Example:
        >>> ArraysData(kind="arrays", path="flowers.csv", labels="species").test
        0.2
    """

    kind: Literal["arrays"]
    inputs: Text = "inputs"
    """Name of the array of inputs `[n, ...]`. Of a .csv file, inputs are the columns that are nothing else."""
    labels: Text = "labels"
    """Name of the array, or of the column, of labels."""
    tasks: Text | None = None
    """Name of the array, or of the column, that says which task each input is of; null where nothing does."""
    leave_out: tuple[Text, ...] = ()
    """Columns of a .csv file that are no inputs."""

    @model_validator(mode="after")
    def _check_form(self) -> ArraysData:
        is_table = Path(self.path).suffix.lower() == ".csv"
        if is_table and self.inputs != "inputs":
            raise ValueError("inputs are all columns of a .csv file that are nothing else: use leave_out for others")
        if not is_table and self.leave_out:
            raise ValueError("leave_out is for columns of a .csv file")
        return self

    def load(self, directory: Path | None = None) -> LabeledData:
        """Read the file, and that of the test examples where there is one."""
        inputs, labels, tasks = self._read(self.path)
        class_names, numbers = _numbered(labels, f"{self.path}, {self.labels}", in_order=True)
        task_names, of_task = _numbered(tasks, self.path, in_order=False) if tasks is not None else ((), None)
        if isinstance(self.test, float):
            return LabeledData.divided(
                self.name, inputs, numbers, class_names, test=self.test, task_names=task_names, tasks=of_task
            )
        test_inputs, test_labels, test_tasks = self._read(self.test)
        return LabeledData(
            self.name,
            *(inputs, numbers, test_inputs, _find(test_labels, class_names, f"{self.test}, {self.labels}")),
            *(class_names, task_names, of_task),
            None if test_tasks is None else _find(test_tasks, task_names, f"{self.test}, {self.tasks}"),
        )

    def _read(self, path: str) -> tuple[Tensor, NDArray[Any], NDArray[Any] | None]:
        """Inputs, labels and tasks as a file has them."""
        file = existing(path, f"a file of arrays, {_FORMS}", folder=False)
        read = {**dict.fromkeys(ARRAY_FILES, self._read_arrays), ".csv": self._read_table}
        if file.suffix.lower() not in read:
            raise DataError(
                f"{path}: arrays are read from {_FORMS}, not from {file.suffix or 'a file without ending'}."
            )
        try:
            inputs, labels, tasks = read[file.suffix.lower()](file)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
        if not inputs.ndim:
            raise DataError(f"{path}: inputs must be an array of numbers, [n, ...], not a single one.")
        for name, values in ((self.labels, labels), (self.tasks, tasks)):
            if values is not None and (values.ndim != 1 or len(values) != len(inputs)):
                raise DataError(
                    f"{path}: {name} has shape {list(values.shape)}; it must be [{len(inputs)}], one entry for each of"
                    f" the inputs of shape {list(inputs.shape)}."
                )
        if not len(inputs):
            raise DataError(f"{path} has no examples.")
        return _as_inputs(inputs, path), labels, tasks

    @property
    def columns_apart(self) -> frozenset[str]:
        """Names of the columns of a table that are no inputs."""
        return frozenset({*self._names[1:], *self.leave_out})

    @property
    def _names(self) -> list[str]:
        return [self.inputs, self.labels, *([] if self.tasks is None else [self.tasks])]

    def _read_arrays(self, file: Path) -> tuple[Any, ...]:
        return (*_read_arrays(file, self._names), None)[:3]

    def _read_table(self, file: Path) -> tuple[Any, ...]:
        try:
            with open_regular(file) as stream:
                lines = (line.decode("utf-8-sig") for line in stream)
                header = next(csv.reader(lines), [])
                return self._columns(file, header, lines)
        except UnicodeDecodeError as error:
            raise DataError(f"{file} is no text in UTF-8: save it as such.") from error
        except csv.Error as error:
            raise DataError(f"{file} is no table ({error}).") from error

    def _columns(self, file: Path, header: Sequence[str], lines: Iterable[str]) -> tuple[Any, ...]:
        _check_names([*self._names[1:], *self.leave_out], header, f"{file} has no column")
        if len(set(header)) < len(header):
            raise DataError(f"{file}: its first line must name every column, and each once.")
        apart = self.columns_apart
        numbers = [place for place, name in enumerate(header) if name not in apart]
        if not numbers:
            raise DataError(f"{file} has no columns of inputs beside {', '.join(sorted(apart))}.")
        rows = [row for row in csv.reader(lines) if row]
        if wrong := next((place for place, row in enumerate(rows, 2) if len(row) != len(header)), None):
            raise DataError(
                f"{file}: row {wrong} has {len(rows[wrong - 2])} entries, its first line has {len(header)}."
            )
        table = np.array(rows, dtype=np.str_).reshape(len(rows), len(header))
        try:
            inputs = table[:, numbers].astype(np.float32)
        except ValueError as error:
            raise DataError(f"{file}: {self._where(file, table, numbers, header)}") from error
        return inputs, *(table[:, header.index(name)] for name in self._names[1:]), *([] if self.tasks else [None])

    def _where(self, file: Path, table: NDArray[Any], numbers: Sequence[int], header: Sequence[str]) -> str:
        """Say which entry of a table is no number."""
        for place in numbers:
            for row, text in enumerate(table[:, place], 2):
                try:
                    float(text)
                except ValueError:
                    return (
                        f"row {row}, column {header[place]!r} is {str(text)[:40]!r}, which is no number; name columns"
                        f" that are no inputs, as by data.leave_out=[{header[place]}]."
                    )
        return "there is an entry that is no number."


def read_inputs(file: Path, name: str) -> Tensor:
    """Read inputs alone from a .npz or .safetensors file, `[n, ...]`, as :class:`ArraysData` reads them.

    Args:
        file: The file, which exists.
        name: Name of the array; where a file has a single one, it is that, whatever its name.

    Raises:
        DataError: There is no such array, it holds no numbers, or the file is damaged.
    """
    [inputs] = _read_arrays(file, [name], whatever_it_is_called=True)
    return _as_inputs(inputs, str(file))


def _read_arrays(file: Path, names: Sequence[str], *, whatever_it_is_called: bool = False) -> list[NDArray[Any]]:
    """Arrays of these names; or the only one that the file has."""

    def found(there: Sequence[str]) -> Sequence[str]:
        if whatever_it_is_called and len(there) == 1:
            return there
        _check_names(names, there, f"{file} has no array")
        return names

    try:
        if file.suffix.lower() == ".npz":
            with zipfile.ZipFile(file) as archive:
                check_room(sum(member.file_size for member in archive.infolist()), f"What is in {file}")
            with np.load(file, allow_pickle=False) as arrays:
                return [arrays[name] for name in found(arrays.files)]
        with safetensors.safe_open(file, framework="pt") as arrays:
            tensors = [arrays.get_tensor(name) for name in found(list(arrays.keys()))]
    except DataError:
        raise
    except (ValueError, zipfile.BadZipFile, EOFError, KeyError, safetensors.SafetensorError) as error:
        raise DataError(f"{file} is damaged, or holds something else than arrays of numbers ({error}).") from error
    return [(each.float() if each.is_floating_point() else each).numpy() for each in tensors]


_SHOWN = 40
"""Characters of a name that errors show."""


def _check_names(wanted: Iterable[str], there: Iterable[str], complaint: str) -> None:
    there = list(there)
    for name in wanted:
        if name not in there:
            names = ", ".join(each if len(each) <= _SHOWN else f"{each[:_SHOWN]}…" for each in there[:20])
            more = ", …" if len(there) > 20 else ""
            raise DataError(f"{complaint} {name!r}.{did_you_mean(name, there)} It has {names or 'none'}{more}.")


def _as_inputs(inputs: NDArray[Any], path: str) -> Tensor:
    """Inputs as a network takes them: gray levels as they are, other numbers as float32."""
    if inputs.dtype.kind not in "iufb" or inputs.ndim < 2:
        raise DataError(
            f"{path}: inputs must be an array of numbers, [n, ...], not {inputs.dtype} of shape {list(inputs.shape)}."
        )
    tensor = torch.from_numpy(np.ascontiguousarray(inputs if inputs.dtype == np.uint8 else inputs.astype(np.float32)))
    if not bool(tensor.isfinite().all()):
        row = int((~tensor.isfinite()).flatten(1).any(1).nonzero()[0])
        raise DataError(f"{path}: input {row + 1} has entries that are no finite numbers; take it out, or repair it.")
    return tensor


def _numbered(values: NDArray[Any], where: str, *, in_order: bool) -> tuple[tuple[str, ...], Tensor]:
    """The different values as texts, and which of them each is.

    Args:
        values: Whole numbers or texts.
        where: Where they stand, for errors.
        in_order: Whether they are sorted; otherwise they are as they first appear.
    """
    texts = _texts(values, where)
    names, first, numbers = np.unique(texts, return_index=True, return_inverse=True)
    numeric = all(name.removeprefix("-").isdecimal() for name in names)
    keys = first if not in_order else np.array([int(name) for name in names]) if numeric else np.arange(len(names))
    order = np.argsort(keys, kind="stable")
    return tuple(map(str, names[order])), torch.from_numpy(np.argsort(order)[numbers].astype(np.int64))


def _find(values: NDArray[Any], names: Sequence[str], where: str) -> Tensor:
    """Which of the known names each value is."""
    texts = _texts(values, where)
    if len(strangers := np.setdiff1d(texts, names)):
        raise DataError(
            f"{where}: {str(strangers[0])!r} is not among those of training."
            f"{did_you_mean(str(strangers[0]), names)} There: {', '.join(names[:20])}."
        )
    order = np.argsort(names)
    return torch.from_numpy(order[np.searchsorted(np.array(names)[order], texts)].astype(np.int64))


def _texts(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Labels as texts, as which classes are known everywhere."""
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "f" and (values == np.round(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind not in "iuUb":
        raise DataError(
            f"{where}: labels must be whole numbers or texts, not {values.dtype}; for numbers to predict, make tasks in"
            " Python (data.kind=python)."
        )
    texts = np.char.strip(values.astype(np.str_))
    if len(empty := np.flatnonzero(texts == "")):
        raise DataError(f"{where}: entry {empty[0] + 1} is empty; every example needs a label.")
    return texts
