"""What learners have in common whose answers come from one standard network with a growing head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import BaseModel
from torch import Tensor, nn

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners.base import ContinualLearner, Prediction
from hypermnesia.problems import REGRESSION
from hypermnesia.settings import Settings, checked
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks.scenario import SCENARIOS, Outputs, Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings


class NoSettings(Settings):
    """Of a method that leaves nothing to choose."""


class StandardNetworkLearner(ContinualLearner):
    """A learner with one standard network for all tasks; its subclasses differ in what keeps the old ones.

    Args:
        module: Ends in a linear layer, which becomes a growing head; its number of outputs does not matter. It is
            copied, not changed.
        scenario: What will be known and asked: decides which outputs of the head a task has.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of the method's settings, or `NoSettings`.

    Raises:
        ConfigurationError: If there is no such scenario or no linear layer, or a setting is unknown, of the wrong type
            or out of range.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    settings: BaseModel

    def __init__(
        self,
        module: nn.Module,
        *,
        scenario: Scenario = "class",
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        # First, so that what is wrong with them is told before anything is made.
        self.settings = checked(self.Settings, settings)
        super().__init__(module, training=training, seed=seed, device=device)
        if scenario not in SCENARIOS:
            raise ConfigurationError(f"scenario must be one of {', '.join(SCENARIOS)}, not {scenario!r}")
        self.scenario: Scenario = scenario
        self._standard = StandardNetwork(self._module, scenario, self.training, self.seeds.child("classifier"))

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely."""
        return self._standard.num_tasks

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept."""
        return self._standard.num_weights

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The one it was made for."""
        return (self.scenario,)

    def _predict(self, inputs: Tensor, task: int | None) -> Prediction:
        logits, outputs = self._standard.logits(inputs), self._standard.outputs
        if task is not None:
            return self._given_task(logits[:, outputs.of_task(task)], task)
        if self.scenario == "domain":
            return Prediction(logits, None, None, self.problem)
        return _likeliest_class(logits, outputs)

    def _check_problem(self, task: Task) -> None:
        super()._check_problem(task)
        if task.problem is REGRESSION and self.scenario == "class":
            raise DataError(
                f"task '{task.name}' asks for numbers, and the class-incremental scenario for one class among all: make"
                " the learner for the scenario 'task' or 'domain'"
            )

    def _check_outputs(self, task: Task, outputs: int) -> None:
        """Any number will do: the head grows."""

    def _begin_task(self, task: Task) -> None:
        self._standard.begin_task(task.count_outputs())

    def _end_task(self, task: Task) -> None:
        self._standard.end_task()

    def _abandon_task(self) -> None:
        self._standard.abandon_task()

    def _settings(self) -> dict[str, Any]:
        training = self.training.model_dump(mode="json")
        own = self.settings.model_dump(mode="json")
        return {"scenario": self.scenario, "training": training, "seed": self.seeds.root, **own}

    def _state(self) -> dict[str, Any]:
        return {"standard": self._standard.state()}

    def _load_state(self, state: dict[str, Any]) -> None:
        self._standard.load_state(state["standard"])


def _likeliest_class(logits: Float[Tensor, "inputs outputs"], outputs: Outputs) -> Prediction:
    """The likeliest class of all, as a task and a label within it."""
    counts = torch.tensor(outputs.classes, device=logits.device)
    starts = counts.cumsum(0) - counts
    tasks = torch.bucketize(logits.argmax(1), starts, right=True) - 1
    # The outputs of that task, as many as the task of most classes has; the rest is impossible.
    places = torch.arange(int(counts.max()), device=logits.device)
    columns = (starts[tasks][:, None] + places).clamp(max=len(outputs) - 1)
    absent = places >= counts[tasks][:, None]
    of_task = logits.gather(1, columns).masked_fill(absent, -torch.inf)
    certainty = logits.softmax(1).gather(1, columns).masked_fill(absent, 0).sum(1)
    return Prediction(of_task, tasks, certainty)
