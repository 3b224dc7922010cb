"""Settings of an experiment, their types and limits."""

from __future__ import annotations

import operator
import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hypermnesia.criteria import NAMED_METRICS, USUAL, Criterion, CrossEntropy, LabelKind, Metric
from hypermnesia.data import INSTALLED, ArraysData
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.task_settings import (
    OF_DATA,
    Count,
    Data,
    FurtherTask,
    GivenTasks,
    NamedData,
    PartsTasks,
    PolynomialTasks,
    Tasks,
)
from hypermnesia.learners import METHODS, Method
from hypermnesia.networks import NETWORKS, NetworkSettings
from hypermnesia.settings import Settings
from hypermnesia.tasks import PythonData
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.settings import TrainingSettings

WITHOUT_INFLUENCE = {"device", "threads", "recording", "evaluation"}
"""Settings that do not affect what is learned: a published experiment with others is still the published one."""
APART_FROM_SETTINGS = {"name", "description", "seed", *WITHOUT_INFLUENCE}
"""Settings in which two runs count as the same may differ."""


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
    body = {
        "__module__": __name__,
        "__annotations__": {"method": Literal[method.name]},
        # It has no source, for which pydantic would look in all modules.
        "model_config": ConfigDict(use_attribute_docstrings=False),
    }
    made: type[LearnerSettings] = types.new_class(f"{name}Settings", bases, exec_body=lambda own: own.update(body))
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


TrackerName = Literal["tensorboard", "wandb", "mlflow"]


class RecordingSettings(Settings):
    """Settings of recording: how often a run writes something down, and what it keeps."""

    log_every: Count = 100
    """Iterations between two records of loss and accuracy in metrics.jsonl."""
    checkpoint_every: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """Seconds between two checkpoints while a task is learned; every finished task is saved anyway."""
    log: tuple[TrackerName, ...] = ()
    """Programs that show the same figures, besides the run directory: docs/tracking.md."""
    keep_learners: bool = False
    """Keep the learner as it is after every task, in learners/: what `hypermnesia analyze transfer` starts from, and
    how `hypermnesia analyze weights` sees drift. Each takes as much room as learner.safetensors."""


class Experiment(Settings):
    """Everything that determines a run; see `hypermnesia.experiments.settings.benchmark.load_experiment`."""

    name: Annotated[str, Field(pattern=r"^\w[\w .+-]*$", max_length=200)]
    """Letters, digits, blanks and . _ + - only, at most 200: run directories are called after it."""
    description: str = ""
    data: Data | None = None
    """Null for tasks that need none, or that name the data of each part."""
    tasks: Annotated[Tasks, Field(discriminator="kind")]
    further: tuple[FurtherTask, ...] = ()
    """Tasks that come after these, as `hypermnesia learn` adds them to a run."""
    network: Network
    scenario: Scenario = "task"
    """What is known and asked at test: `task`, `domain` or `class`; see `hypermnesia.tasks.scenario`."""
    learner: Learner
    criterion: CrossEntropy | None = None
    """What classes are learned by, with their weights and label smoothing; null for plain cross-entropy. Numbers are
    learned by the mean squared error."""
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
    def labels(self) -> LabelKind:
        """Kind of the tasks' labels."""
        return "numbers" if isinstance(self.tasks, PolynomialTasks) else "classes"

    @property
    def learned_by(self) -> Criterion:
        """What the tasks are learned by."""
        return self.criterion or USUAL[self.labels]

    @property
    def metric(self) -> Metric:
        """What methods are judged by."""
        return NAMED_METRICS[self.learned_by.metric]

    @property
    def sources(self) -> list[Data]:
        """The data of all its tasks, but for those that parts name."""
        return [*([] if self.data is None else [self.data]), *(each.data for each in self.further)]

    @property
    def reads_files(self) -> bool:
        """Whether any of its data are files of a published dataset, which may lie anywhere."""
        names = {part.data for part in self.tasks.parts} if isinstance(self.tasks, PartsTasks) else set()
        return bool((names | {each.name for each in self.sources if isinstance(each, NamedData)}) - INSTALLED)

    @model_validator(mode="after")
    def _check_together(self) -> Experiment:
        kind = self.tasks.kind
        if self.data is None and isinstance(self.tasks, OF_DATA):
            raise ValueError(f"tasks.kind={kind} needs data, as in 'data: {{name: mnist}}'")
        if self.data is not None and not isinstance(self.tasks, OF_DATA):
            where = "names the data of each part" if isinstance(self.tasks, PartsTasks) else "has no use for data"
            raise ValueError(f"tasks.kind={kind} {where}; leave it out, as by data=null")
        self._check_given()
        looking = [name for name in ("plateau", "early_stopping") if getattr(self.training, name) is not None]
        if looking and not getattr(self.tasks, "validation", 0):
            raise ValueError(
                f"training.{looking[0]} looks at validation examples; set some aside, as tasks.validation=500"
            )
        if self.labels == "numbers" and self.criterion is not None:
            raise ValueError(f"tasks.kind={kind} asks for numbers; criterion is for classes, leave it out")
        if self.labels == "numbers" and self.scenario == "class":
            raise ValueError(f"tasks.kind={kind} asks for numbers, so the scenario must be task or domain, not class")
        return self

    def _check_given(self) -> None:
        """Refuse tasks that the data do not say, and tasks that they say to no use."""
        is_python = isinstance(self.data, PythonData)
        say_tasks = is_python or (isinstance(self.data, ArraysData) and self.data.tasks is not None)
        if isinstance(self.tasks, GivenTasks) and not say_tasks:
            raise ValueError(
                "tasks.kind=given takes tasks as the data say them: name the column or array of tasks, as"
                " data.tasks=task, or choose tasks.kind=split or listed"
            )
        if say_tasks and not isinstance(self.tasks, GivenTasks):
            raise ValueError(f"the data say which tasks there are: tasks.kind must be given, not {self.tasks.kind}")
        if is_python and isinstance(self.tasks, GivenTasks) and self.tasks.examples is not None:
            raise ValueError(
                "tasks.examples does not choose from tasks that code makes; let the code make smaller ones"
            )

    def to_yaml(self) -> str:
        """All settings, defaults included; reads back as the same experiment."""
        return sources.dump(self.model_dump(mode="json"))
