"""Base class of learners with one standard network and a growing head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia.criteria import CrossEntropy, GivenCriterion, GivenMetric
from hypermnesia.errors import ConfigurationError, DataError, shown
from hypermnesia.inputs import Inputs
from hypermnesia.learners.base import ContinualLearner
from hypermnesia.learners.label_check import asked_outputs, count_new_classes
from hypermnesia.learners.prediction import Prediction
from hypermnesia.settings import Settings
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks.scenario import SCENARIOS, Outputs, Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings


class StandardNetworkLearner(ContinualLearner):
    """Base class of learners with one standard network for all tasks; subclasses differ in what keeps old tasks.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head; its number of outputs does not
            matter. It is copied, not changed.
        settings: Settings of the method.
        scenario: What will be known and asked: decides which outputs of the head a task has.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: There is no such scenario or no linear layer.
    """

    trained_for_scenario = True

    def __init__(
        self,
        module: nn.Module,
        settings: Settings | Mapping[str, Any] | None = None,
        *,
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        if scenario not in SCENARIOS:
            raise ConfigurationError(f"scenario must be one of {', '.join(SCENARIOS)}, not {shown(scenario)}")
        self.scenario: Scenario = scenario
        super().__init__(
            module, settings, criterion=criterion, metric=metric, training=training, seed=seed, device=device
        )

    def _make_parts(self) -> dict[str, Part]:
        self._standard = StandardNetwork(self._module, self.scenario, self.training, self.seeds.child("classifier"))
        return {"network": self._standard}

    def _check_module(self, inputs: Inputs) -> None:
        self._standard.find_head(inputs)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenario it was made for."""
        return (self.scenario,)

    def networks_with(self, task: int) -> tuple[StandardNetwork, int]:
        return self._standard, task

    def _check_criterion(self) -> None:
        super()._check_criterion()
        if self.scenario == "class" and self._given_criterion is not None and not self._one_class_each:
            raise ConfigurationError(
                f"criterion {self._given_criterion.kind}: the class-incremental scenario asks for one class among all,"
                " which is learned by cross-entropy: make the learner for the scenario 'task' or 'domain'"
            )

    def _infer(self, inputs: Inputs) -> Prediction:
        logits, outputs = self._standard.logits(inputs), self._standard.outputs
        if self.scenario == "domain":
            return Prediction(logits)
        return _likeliest_class(logits, outputs)

    def _check_labels(self, task: Task) -> None:
        super()._check_labels(task)
        if self.scenario == "class" and (task.label_shape or not isinstance(self._criterion_of(task), CrossEntropy)):
            what = "is a regression" if task.labels == "numbers" else "has not one class an input"
            raise DataError(
                f"task '{task.name}' {what}, and the class-incremental scenario asks for one class among all:"
                " make the learner for the scenario 'task' or 'domain'"
            )

    def _count_outputs(self, task: Task, outputs: int) -> int:
        # Any number will do: the head grows.
        criterion = self._criterion_of(task)
        if isinstance(criterion, CrossEntropy):
            return count_new_classes(task, len(self._standard.outputs) if self.scenario == "domain" else 0, criterion)
        asked, _ = asked_outputs(task, criterion)
        return asked or outputs

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "scenario": self.scenario}


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
    return Prediction(of_task, tasks, certainty, logits_of_all=logits)
