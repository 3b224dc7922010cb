"""Arrays of somebody's own: NumPy's .npz, .safetensors, and tables of numbers as .csv."""

from __future__ import annotations

import contextlib
import csv
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
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
from hypermnesia.errors import DataError, did_you_mean, shown
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

    def load(self, directory: Path | None = None, columns: Sequence[str] = ()) -> LabeledData:
        """Read the file, and that of the test examples where there is one.

        Args:
            directory: Nothing of it is used.
            columns: Names of the columns of inputs of a table, in the order in which they become inputs; where none are
                given, that of the table. In a table of test examples they may be in any order, too.
        """
        columns = columns or self.columns()
        inputs, labels, tasks = self._read(self.path, columns)
        class_names, numbers = _numbered(labels, f"{self.path}, {self.labels}", in_order=True)
        task_names, of_task = _numbered(tasks, self.path, in_order=False) if tasks is not None else ((), None)
        if isinstance(self.test, float):
            return LabeledData.divided(
                self.name, inputs, numbers, class_names, test=self.test, task_names=task_names, tasks=of_task
            )
        test_inputs, test_labels, test_tasks = self._read(self.test, columns)
        return LabeledData(
            self.name,
            *(inputs, numbers, test_inputs, _find(test_labels, class_names, f"{self.test}, {self.labels}")),
            *(class_names, task_names, of_task),
            None if test_tasks is None else _find(test_tasks, task_names, f"{self.test}, {self.tasks}"),
        )

    def columns(self) -> tuple[str, ...]:
        """Names of the columns of inputs, in the order in which the table has them; none of other files."""
        file = Path(self.path)
        if file.suffix.lower() != ".csv":
            return ()
        with _opened(existing(self.path, f"a file of arrays, {_FORMS}", folder=False)) as rows:
            return tuple(self._inputs_of(file, next(rows, [])))

    def _read(self, path: str, columns: Sequence[str]) -> tuple[Tensor, NDArray[Any], NDArray[Any] | None]:
        """Inputs, labels and tasks as a file has them."""
        file = existing(path, f"a file of arrays, {_FORMS}", folder=False)
        if file.suffix.lower() not in (*ARRAY_FILES, ".csv"):
            raise DataError(
                f"{path}: arrays are read from {_FORMS}, not from {file.suffix or 'a file without ending'}."
            )
        try:
            is_table = file.suffix.lower() == ".csv"
            inputs, labels, tasks = self._read_table(file, columns) if is_table else self._read_arrays(file)
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
        return as_inputs(inputs, path), labels, tasks

    @property
    def columns_apart(self) -> frozenset[str]:
        """Names of the columns of a table that are no inputs."""
        return frozenset({*self._names[1:], *self.leave_out})

    @property
    def _names(self) -> list[str]:
        return [self.inputs, self.labels, *([] if self.tasks is None else [self.tasks])]

    def _read_arrays(self, file: Path) -> tuple[Any, ...]:
        return (*_read_arrays(file, self._names), None)[:3]

    def _read_table(self, file: Path, columns: Sequence[str]) -> tuple[Any, ...]:
        with _opened(file) as lines:
            header = next(lines, [])
            names = arranged(self._inputs_of(file, header), columns, file)
            rows = [row for row in lines if row]
        if wrong := next((place for place, row in enumerate(rows, 2) if len(row) != len(header)), None):
            raise DataError(
                f"{file}: row {wrong} has {len(rows[wrong - 2])} entries, its first line has {len(header)}."
            )
        place = {name: number for number, name in enumerate(header)}
        # Texts stay as they are: an array of them is as wide everywhere as the longest one.
        others = [np.array([row[place[name]] for row in rows], dtype=object) for name in self._names[1:]]
        return (_numbers(file, rows, {name: place[name] for name in names}), *others, None)[:3]

    def _inputs_of(self, file: Path, header: Sequence[str]) -> list[str]:
        """Names of the columns of a table that are inputs."""
        apart = self.columns_apart
        _check_names([*self._names[1:], *self.leave_out], header, f"{file} has no column")
        if len(set(header)) < len(header):
            raise DataError(f"{file}: its first line must name every column, and each once.")
        if inputs := [name for name in header if name not in apart]:
            return inputs
        raise DataError(f"{file} has no columns of inputs beside {', '.join(sorted(apart))}.")


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Iterator[list[str]]]:
    """The lines of a table, while it is open."""
    try:
        with open_regular(file) as stream:
            yield csv.reader(line.decode("utf-8-sig") for line in stream)
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8: save it as such.") from error
    except csv.Error as error:
        raise DataError(f"{file} is no table ({error}).") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror or error}).") from error


def arranged(names: Sequence[str], wanted: Sequence[str], file: Path) -> Sequence[str]:
    """The columns of inputs of a table in the order that is wanted, or in their own where none is.

    Raises:
        DataError: They have other names.
    """
    if not wanted:
        return names
    _check_names(wanted, names, f"{file} has no column")
    known = set(wanted)
    if more := [name for name in names if name not in known]:
        raise DataError(f"{file} has {_listed(more)} beside {_listed(wanted)}, which are learned: take out the others.")
    return wanted


def _numbers(file: Path, rows: Sequence[Sequence[str]], columns: Mapping[str, int]) -> NDArray[np.float64]:
    """The numbers in some columns of a table, given by name and place."""
    numbers = np.empty((len(rows), len(columns)))
    for column, (name, place) in enumerate(columns.items()):
        for number, row in enumerate(rows):
            try:
                numbers[number, column] = float(row[place])
            except ValueError as error:
                raise DataError(
                    f"{file}: row {number + 2}, column {name!r} is {row[place][:40]!r}, which is no number; name"
                    f" columns that are no inputs, as by data.leave_out=[{name}]."
                ) from error
    return numbers


def read_array(file: Path, name: str) -> NDArray[Any]:
    """Read an array from a .npz or .safetensors file.

    Args:
        file: The file, which exists.
        name: Name of the array; where a file has a single one, it is that, whatever its name.

    Raises:
        DataError: There is no such array, or the file is damaged.
    """
    [array] = _read_arrays(file, [name], whatever_it_is_called=True)
    return array


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
    known = set(there)
    if missing := [name for name in wanted if name not in known]:
        raise DataError(
            f"{complaint} {missing[0]!r}.{did_you_mean(missing[0], there)} It has {_listed(there) or 'none'}."
        )


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(each if len(each) <= _SHOWN else f"{each[:_SHOWN]}…" for each in names[:20])
    return f"{some}, …" if len(names) > 20 else some


def as_inputs(inputs: NDArray[Any], path: str) -> Tensor:
    """Inputs as a network takes them: gray levels as they are, other numbers as float32.

    Args:
        inputs: Numbers, `[n, ...]`.
        path: Where they are from, for errors.

    Raises:
        DataError: They are no numbers, not finite, or too large for float32.
    """
    if inputs.dtype.kind not in "iufb" or inputs.ndim < 2:
        raise DataError(
            f"{path}: inputs must be an array of numbers, [n, ...], not {inputs.dtype} of shape {list(inputs.shape)}."
        )
    with np.errstate(over="ignore"):  # what becomes infinite is told below
        numbers = inputs if inputs.dtype == np.uint8 else inputs.astype(np.float32)
    if len(wrong := np.flatnonzero(~np.isfinite(numbers).all(axis=tuple(range(1, numbers.ndim))))):
        what = "too large for float32" if np.isfinite(inputs[wrong[0]]).all() else "no finite numbers"
        raise DataError(
            f"{path}: input {wrong[0] + 1}, counted from 1, has entries that are {what}; take it out, or repair it."
        )
    return torch.from_numpy(np.ascontiguousarray(numbers))


def _numbered(values: NDArray[Any], where: str, *, in_order: bool) -> tuple[tuple[str, ...], Tensor]:
    """The different values as texts, and which of them each is.

    Args:
        values: Whole numbers or texts.
        where: Where they stand, for errors.
        in_order: Whether they are sorted; otherwise they are as they first appear.
    """
    texts = _texts(values, where)
    names = tuple(dict.fromkeys(texts))
    if in_order:
        names = tuple(sorted(names))
        if None not in (numbers := [_number(name) for name in names]):
            names = tuple(name for _, name in sorted(zip(numbers, names, strict=True)))
    return names, _places(texts, names)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _find(values: NDArray[Any], names: Sequence[str], where: str) -> Tensor:
    """Which of the known names each value is."""
    texts = _texts(values, where)
    if strangers := sorted(set(texts).difference(names)):
        raise DataError(
            f"{where}: {shown(strangers[0])} is not among those of training."
            f"{did_you_mean(strangers[0], names)} There: {_listed(names)}."
        )
    return _places(texts, names)


def _places(texts: Sequence[str], names: Sequence[str]) -> Tensor:
    place = {name: number for number, name in enumerate(names)}
    return torch.tensor([place[text] for text in texts], dtype=torch.int64)


def _texts(values: NDArray[Any], where: str) -> list[str]:
    """Labels as texts, as which classes are known everywhere."""
    if values.dtype.kind == "f" and (values == np.round(values)).all():
        if len(beyond := values[np.abs(values) > 2 / np.finfo(values.dtype).eps]):
            raise DataError(
                f"{where}: {beyond[0]} is no whole number that {values.dtype} tells from its neighbors; save labels as"
                " integers or texts."
            )
        values = values.astype(np.int64)
    if values.dtype.kind not in "iuUSbO":
        raise DataError(
            f"{where}: labels must be whole numbers or texts, not {values.dtype}; for numbers to predict, make tasks in"
            " Python (data.kind=python)."
        )
    texts = [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in values.tolist()]
    texts = [text.strip() for text in texts]
    if "" in texts:
        raise DataError(f"{where}: entry {texts.index('') + 1} is empty; every example needs a label.")
    return texts
