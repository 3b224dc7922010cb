"""Settings of an experiment, their types and limits."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, create_model, model_validator

from hypermnesia.criteria import USUAL, Criterion
from hypermnesia.data import DATASETS, INSTALLED
from hypermnesia.experiments.settings import sources
from hypermnesia.learners import METHODS, Method
from hypermnesia.networks import NETWORKS, NetworkSettings
from hypermnesia.settings import Settings
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.settings import TrainingSettings

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

if TYPE_CHECKING:
    DatasetName = str
else:
    DatasetName = Literal[tuple(DATASETS)]

WITHOUT_INFLUENCE = {"device", "threads", "recording", "evaluation"}
"""Settings that do not affect what is learned: a published experiment with others is still the published one."""
APART_FROM_SETTINGS = {"name", "description", "seed", *WITHOUT_INFLUENCE}
"""Settings in which two runs count as the same may differ."""


class DealtClasses(Settings):
    """How classes of a dataset are dealt out to tasks; see `hypermnesia.tasks.split`."""

    classes_per_task: Annotated[int, Field(ge=2)] = 2
    num_tasks: Count | None = None
    """None: as many as the classes suffice for."""
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
    padding: Annotated[int, Field(ge=0)] = 0
    """Pixels of border added on each side before permuting."""


class PermutedTasks(FromExamples, _Permuted):
    """A task is all classes under a permutation of the pixels; see `hypermnesia.tasks.permuted`."""


class DataSettings(Settings):
    """Source of the examples."""

    name: DatasetName


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


class LearnerSettings(BaseModel):
    """Section `learner` of an experiment: the name of a method, and the settings of its learner."""

    method: str
    """Name of the method, as `hypermnesia compare --help` lists them."""

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, values: Any) -> Any:
        own = METHODS.get(str(values.get("method"))) if isinstance(values, Mapping) else None
        return sources.merged(own.settings, values) if own else values

    @model_validator(mode="after")
    def _check_fixed(self) -> LearnerSettings:
        for place, allowed in METHODS[self.method].fixed.items():
            if (value := operator.attrgetter(place)(self)) not in allowed:
                value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
                raise ValueError(
                    f"{place} must be {' or '.join(map(sources.inline, allowed))} for {self.method}, not"
                    f" {sources.inline(value)}; leave it out, or choose another method"
                )
        return self


def _section(method: Method) -> type[LearnerSettings]:
    """The settings of a method's learner, with its name."""
    # In this order, so that the name comes first when they are written down.
    bases: Any = (method.learner.Settings, LearnerSettings)
    name = "".join(map(str.capitalize, method.name.split("-")))
    fields: Any = {"method": (Literal[method.name], ...)}
    make: Any = create_model  # whose declared types allow one base only
    made: type[LearnerSettings] = make(f"{name}Settings", __base__=bases, **fields)
    globals()[made.__name__] = made  # where pickle looks for it when a search has several processes
    return made


def _one_of(sections: Iterable[type[BaseModel]], discriminator: str) -> Any:
    """The type of a section that may be any of these; its `discriminator` says which."""
    union: Any = Union[tuple(sections)]  # noqa: UP007 - of as many as there are
    return Annotated[union, Field(discriminator=discriminator)] if get_origin(union) is Union else union


if TYPE_CHECKING:
    Network = NetworkSettings
    Learner = LearnerSettings
else:
    Network = _one_of(NETWORKS, "kind")
    Learner = _one_of(map(_section, METHODS.values()), "method")


class EvaluationSettings(Settings):
    """Settings of the evaluation: which test accuracies are measured."""

    tasks: Literal["all", "diagonal-and-last-row"] = "all"
    """After each task, all tasks so far; or only the newest one, and all after the last. For T tasks that is
    T (T + 1) / 2 evaluations, or 2 T - 1."""
    every_scenario: bool = False
    """After the last task, measure the average accuracy in the other scenarios too, where the learner answers in them
    without being trained again."""


class RecordingSettings(Settings):
    """Settings of recording: how often a run writes something down, and what it keeps."""

    log_every: Count = 100
    """Iterations between two records of loss and accuracy in metrics.jsonl."""
    checkpoint_every: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """Seconds between two checkpoints while a task is learned; every finished task is saved anyway."""
    keep_learners: bool = False
    """Keep the learner as it is after every task, in learners/: what `hypermnesia analyze transfer` starts from, and
    how `hypermnesia analyze weights` sees drift. Each takes as much room as learner.safetensors."""


class Experiment(Settings):
    """Everything that determines a run; see `hypermnesia.experiments.settings.benchmark.load_experiment`."""

    name: Annotated[str, Field(pattern=r"^\w[\w .+-]*$")]
    """Letters, digits, blanks and . _ + - only: run directories are called after it."""
    description: str = ""
    data: DataSettings | None = None
    """Null for tasks that need none, or that name the data of each part."""
    tasks: Annotated[SplitTasks | PermutedTasks | PartsTasks | PolynomialTasks, Field(discriminator="kind")]
    network: Network
    scenario: Scenario = "task"
    """What is known and asked at test: `task`, `domain` or `class`; see `hypermnesia.tasks.scenario`."""
    learner: Learner
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    recording: RecordingSettings = RecordingSettings()
    seed: Annotated[int, Field(ge=0)] = 0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """auto, cpu, mps, cuda or cuda:N; auto is the fastest one at hand."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """CPU threads; None: as many as torch takes by itself. Another number changes the last digits of sums, so give one
    where a run is to be repeated bit for bit elsewhere. Small networks are fastest on one."""

    @property
    def criterion(self) -> Criterion:
        """What the tasks are learned by."""
        return USUAL["numbers" if isinstance(self.tasks, PolynomialTasks) else "classes"]

    @property
    def reads_files(self) -> bool:
        """Whether any of its data are read from files, and not part of the installation or computed."""
        names = [part.data for part in self.tasks.parts] if isinstance(self.tasks, PartsTasks) else []
        return bool({*names, *([] if self.data is None else [self.data.name])} - INSTALLED)

    @model_validator(mode="after")
    def _check_together(self) -> Experiment:
        kind = self.tasks.kind
        if self.data is None and isinstance(self.tasks, SplitTasks | PermutedTasks):
            raise ValueError(f"tasks.kind={kind} needs data, as in 'data: {{name: mnist}}'")
        if self.data is not None and not isinstance(self.tasks, SplitTasks | PermutedTasks):
            where = "names the data of each part" if isinstance(self.tasks, PartsTasks) else "has no use for data"
            raise ValueError(f"tasks.kind={kind} {where}; leave it out, as by data=null")
        if self.training.plateau is not None and not getattr(self.tasks, "validation", 0):
            raise ValueError("training.plateau looks at validation examples; set some aside, as tasks.validation=500")
        if self.criterion.labels == "numbers" and self.training.label_smoothing:
            raise ValueError(f"tasks.kind={kind} asks for numbers; training.label_smoothing is for classes")
        if self.criterion.labels == "numbers" and self.scenario == "class":
            raise ValueError(f"tasks.kind={kind} asks for numbers, so the scenario must be task or domain, not class")
        return self

    def to_yaml(self) -> str:
        """All settings, defaults included; reads back as the same experiment."""
        return sources.dump(self.model_dump(mode="json"))
