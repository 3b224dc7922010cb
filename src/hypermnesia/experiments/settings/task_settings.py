"""Settings of the tasks of an experiment, and of the data they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hypermnesia.data import (
    DATASETS,
    INSTALLED,
    OWN_DATA,
    ArraysData,
    DataSettings,
    FolderData,
    IdxData,
    ImageDataset,
    load,
)
from hypermnesia.settings import Settings
from hypermnesia.tasks import PythonData

Count = Annotated[int, Field(ge=1)]


def _number_or_fraction(value: int | float) -> int | float:
    if 0 < value < 1:
        return value
    if value != int(value):
        raise ValueError("must be a whole number of examples or a fraction between 0 and 1")
    return int(value)


Validation = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_number_or_fraction)]
"""Training examples of a task that are set aside: a number of them, or a fraction between 0 and 1."""


def _not_ambiguous(value: Any) -> Any:
    if isinstance(value, float) and value == 1:
        raise ValueError("1.0 may mean one example or all; give 1 for one, or null for all")
    return value


FewerExamples = Annotated[
    float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_not_ambiguous), AfterValidator(_number_or_fraction)
]
"""Training examples of a task: a number of them, or a fraction between 0 and 1."""


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClassName = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
"""Name of a class, a text everywhere: 7 is the class '7'."""

if TYPE_CHECKING:
    DatasetName = str
else:
    DatasetName = Literal[tuple(DATASETS)]


class DealtClasses(Settings):
    """How classes of a dataset are dealt out to tasks; see `hypermnesia.tasks.split`."""

    classes_per_task: Count | None = 2
    """Classes of each task; null divides all of them among `num_tasks`, as evenly as they can be."""
    num_tasks: Count | None = None
    """Null: as many as the classes suffice for."""
    first_task: Annotated[int, Field(ge=0)] = 0
    """Tasks to leave out at the beginning."""
    shuffle_classes: bool = False
    """Classes in an order drawn from the seed instead of their own."""


class FromExamples(Settings):
    """Which training examples of a task are learned from."""

    validation: Validation = 0
    examples: FewerExamples | None = None
    """Training examples of each task that are learned from, without those set aside: a number of them, or a fraction
    between 0 and 1; null for all."""


class _Split(Settings):
    kind: Literal["split"]


class SplitTasks(FromExamples, DealtClasses, _Split):
    """A task is a few of the classes; see `hypermnesia.tasks.split`."""


class _Permuted(Settings):
    kind: Literal["permuted"]
    num_tasks: Annotated[int, Field(ge=1, le=10_000)] = 10
    padding: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pixels of border added on each side before permuting."""


class PermutedTasks(FromExamples, _Permuted):
    """A task is all classes under a permutation of the pixels; see `hypermnesia.tasks.permuted`."""


class _Listed(Settings):
    kind: Literal["listed"]
    classes: Annotated[tuple[Annotated[tuple[ClassName, ...], Field(min_length=1)], ...], Field(min_length=1)]
    """Names of the classes of each task."""


class ListedTasks(FromExamples, _Listed):
    """A task is classes that are listed for it; see `hypermnesia.tasks.listed`."""


class _Given(Settings):
    kind: Literal["given"]


class GivenTasks(FromExamples, _Given):
    """The data say which examples are of which task, as a column of tasks does; or they are made as tasks."""


class NamedData(DataSettings):
    """A published dataset, by its name."""

    kind: Literal["named"]
    name: DatasetName

    def load(self, directory: Path | None) -> ImageDataset:
        """Read its files, or what is installed."""
        return load(self.name, None if self.name in INSTALLED else directory)


def with_kind(data: Any) -> Any:
    """The section `data` with its kind, which need not be written where the data have a published name."""
    return {"kind": "named", **data} if isinstance(data, Mapping) and "kind" not in data else data


if TYPE_CHECKING:
    Data = NamedData | FolderData | ArraysData | IdxData | PythonData
else:
    Data = Annotated[
        Union[(NamedData, *OWN_DATA, PythonData)],
        Field(discriminator="kind"),
        BeforeValidator(with_kind),
    ]
"""Section `data` of an experiment."""


class _OfData(Settings):
    data: DatasetName
    """Name of the dataset."""


class Part(DealtClasses, _OfData):
    """Part of a sequence: tasks that are each a few of the classes of one dataset."""


class _Parts(Settings):
    kind: Literal["parts"]
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    """Parts in the order of learning. A dataset may come several times."""
    shuffle_tasks: bool = False
    """All tasks in an order drawn from the seed, whichever part they are of."""


class PartsTasks(FromExamples, _Parts):
    """A task is a few of the classes of one of several datasets; see `hypermnesia.tasks.join`."""


class FurtherTask(Settings):
    """A task that was learned after those of the experiment: all classes of data of its own."""

    data: Data
    validation: Validation = 0


class PolynomialSettings(Settings):
    """A polynomial on an interval; see `hypermnesia.tasks.Polynomial`."""

    coefficients: Annotated[tuple[float, ...], Field(min_length=1)]
    """Coefficients of x⁰, x¹, x², …"""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""

    @model_validator(mode="after")
    def _check_interval(self) -> PolynomialSettings:
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, not {self.low} and {self.high}")
        return self


class PolynomialTasks(Settings):
    """A task is to predict a polynomial of one variable; see `hypermnesia.tasks.polynomials`. Needs no data."""

    kind: Literal["polynomials"]
    functions: Annotated[tuple[PolynomialSettings, ...], Field(min_length=1)]
    examples: Count = 100
    """For training, and as many for testing."""
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    """Standard deviation of the noise on what is learned from; what is tested on has none."""
    validation: Annotated[int, Field(ge=0)] = 0
    """Further examples to choose settings by."""


Tasks = SplitTasks | PermutedTasks | ListedTasks | GivenTasks | PartsTasks | PolynomialTasks
"""Section `tasks` of an experiment."""
OF_DATA = (SplitTasks, PermutedTasks, ListedTasks, GivenTasks)
"""Those that are made of the section `data`."""
