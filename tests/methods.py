"""Every registered method in every scenario, with networks so small that it learns a task in a moment."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hypermnesia.criteria import LabelKind, MeanSquaredError
from hypermnesia.learners import METHODS, ContinualLearner, Method
from hypermnesia.learners.from_scratch import FromScratchSettings
from hypermnesia.settings import Settings, checked
from hypermnesia.tasks import Task, TensorExamples
from hypermnesia.tasks.scenario import Scenario
from tests.nested import snapshot

FEATURES, OUTPUTS, COUNT = 8, 3, 15
CLASSES = (2, 3, 2)
"""Number of classes of each task."""
TRAINING = {"iterations": 4, "learning_rate": 0.01, "batch_size": 6}
SIZES = {
    "hidden": (6,),
    "encoder_hidden": (6,),
    "decoder_hidden": (6,),
    "discriminator_hidden": (6,),
    "latent_dim": 2,
    "condition_dim": 2,
    "embedding_dim": 3,
    "chunk_embedding_dim": 2,
    "chunk_size": 40,
    "compression": None,
    "embedding_candidates": 4,
}
"""Small values for settings of these names, in whichever section they are."""


def small(settings: Settings) -> Settings:
    """The settings with small networks."""
    sections = {name: small(value) for name, value in settings if isinstance(value, Settings)}
    sizes = {name: size for name, size in SIZES.items() if name in type(settings).model_fields}
    if isinstance(settings, FromScratchSettings):  # where it has no effect, and is refused
        del sizes["embedding_candidates"]
    return settings.model_copy(update={**sections, **sizes})


def network(seed: int = 0, width: int = 5) -> nn.Module:
    """A network with statistics and randomness of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts = [nn.Linear(FEATURES, width), nn.BatchNorm1d(width), nn.Dropout(0.2), nn.ReLU()]
        return nn.Sequential(nn.Flatten(), *parts, nn.Linear(width, OUTPUTS))


@functools.cache
def tasks(kind: LabelKind) -> tuple[Task, ...]:
    """Tasks of unequal numbers of classes whose classes have names, or regressions; inputs are in [0, 1]."""
    made = []
    for number, classes in enumerate(CLASSES):
        inputs = torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(number))
        labels = torch.arange(COUNT) % classes
        targets = labels if kind == "classes" else inputs[:, :OUTPUTS] + number
        names = tuple(f"{number}-{label}" for label in range(classes)) if kind == "classes" else None
        examples = TensorExamples(inputs, targets)
        made.append(Task(f"task {number}", examples, test=examples, classes=names))
    return tuple(made)


@dataclasses.dataclass(frozen=True)
class Case:
    """A method that learns one kind of labels, in one scenario if it is trained differently in each."""

    method: Method
    scenario: Scenario | None
    labels: LabelKind

    def __str__(self) -> str:
        return "-".join([self.method.name, *([self.scenario] if self.scenario else []), self.labels])

    @property
    def kind(self) -> type[ContinualLearner]:
        """Class of the learner."""
        return self.method.learner

    @property
    def settings(self) -> Settings:
        """Settings of the method, with small networks."""
        return small(checked(self.kind.Settings, self.method.settings))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks to learn."""
        return tasks(self.labels)

    @property
    def inputs(self) -> torch.Tensor:
        """Inputs of the first task, `[COUNT, FEATURES]`."""
        return next(self.tasks[0].train.in_order(COUNT))[0]

    def make(self, seed: int = 0, **arguments: Any) -> ContinualLearner:
        """A learner that has learned nothing."""
        if self.scenario is not None:
            arguments = {"scenario": self.scenario, **arguments}
        defaults = {"module": network(), "settings": self.settings, "training": TRAINING, "seed": seed}
        return self.kind(**{**defaults, **arguments})

    @functools.cached_property
    def learned(self) -> "Learned":
        """What learning all tasks leaves."""
        return Learned(self)

    def load(self, path: Path, tasks: int, seed: int = 7) -> ContinualLearner:
        """A learner from a file, which gets the data of so many tasks back if it needs them."""
        learner = self.kind.load(path, network(seed))
        learner.recall(self.tasks[:tasks])
        return learner


class Learned:
    """A learner of all tasks that nobody may change, and its states and answers after each number of tasks."""

    def __init__(self, case: Case):
        self.learner = case.make()
        self.states, self.answers = [snapshot(self.learner.state_dict())], [[]]
        for task in case.tasks:
            self.learner.learn(task)
            self.states.append(snapshot(self.learner.state_dict()))
            self.answers.append(answers(self.learner, case.tasks))


def answers(learner: ContinualLearner, tasks: tuple[Task, ...]) -> list[Any]:
    """All that can be asked about inputs of all tasks."""
    inputs = torch.cat([inputs for task in tasks for inputs, _ in task.train.in_order(COUNT)])
    known = [*range(learner.num_tasks), *([] if learner.scenarios == ("task",) else [None])]
    predictions = [learner.predict(inputs, task) for task in known]
    parts = [part for p in predictions for part in (p.outputs, p.task, p.certainty)]
    return parts + [learner.replay(task, 3) for task in range(learner.num_tasks)]


def _cases() -> list[Case]:
    cases = []
    for method in METHODS.values():
        for labels in ("classes", *(["numbers"] if MeanSquaredError in method.learner.learns else [])):
            scenarios = method.scenarios if method.learner.trained_for_scenario else (None,)
            # Regression targets belong to no class.
            allowed = [each for each in scenarios if not (labels == "numbers" and each == "class")]
            cases += [Case(method, scenario, labels) for scenario in allowed]
    return cases


CASES = _cases()
ONE_EACH = list({case.method.name: case for case in CASES if case.labels == "classes"}.values())
"""A case of each method, where neither labels nor scenario makes a difference."""
