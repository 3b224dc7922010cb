"""Separate networks: a standard network for each task, which forgets nothing and shares nothing."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hypermnesia.learners.base import ContinualLearner
from hypermnesia.learners.first_check import count_new_classes
from hypermnesia.learners.method import Method
from hypermnesia.learners.prediction import Prediction
from hypermnesia.problems import BOTH, REGRESSION
from hypermnesia.seeds import Seeds
from hypermnesia.standard import StandardNetwork, StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.given import Given, take_given
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class SeparateLearner(ContinualLearner):
    """A standard network of its own for each task: all the memory it takes, and no transfer. Task-incremental only.

    Each network starts from the module's weights, with a new head in the place of its last linear layer.

    Args:
        module, settings, training, seed, device: As for :class:`ContinualLearner`.

    Example:
        >>> import torch
        >>> learner = SeparateLearner(nn.Linear(2, 1), training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    problems = BOTH

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Only the one in which the task is known."""
        return ("task",)

    def _make_parts(self) -> dict[str, Part]:
        self._networks = _SeparateNetworks(self._module, self.training, self.seeds)
        return {"networks": self._networks}

    def _predict(self, inputs: Tensor, task: int | None) -> Prediction:
        assert task is not None
        return self._given_task(self._networks.networks[task].logits(inputs), task)

    def _check_module(self, inputs: Tensor) -> None:
        self._networks.find_head(inputs)

    def _count_outputs(self, task: Task, outputs: int) -> int:
        # Any number will do: the head grows.
        return task.count_outputs() if task.problem is REGRESSION else count_new_classes(task, 0)

    def _objective(self) -> Objective:
        return StandardObjective(self._networks.networks[-1], self.training, self.problem)


class _SeparateNetworks(Part):
    """A network for each task, all of which start alike but for their heads."""

    def __init__(self, module: nn.Module, training: TrainingSettings, seeds: Seeds) -> None:
        self._training, self._seeds = training, seeds
        # Where each starts; never learns.
        self._start = StandardNetwork(module, "task", training, seeds)
        self.networks: tuple[StandardNetwork, ...] = ()

    def find_head(self, inputs: Tensor) -> None:
        """Let the heads be the layer that the module's outputs come from; before the first task."""
        self._start.find_head(inputs)

    @property
    def num_weights(self) -> int:
        return sum(network.num_weights for network in self.networks)

    def begin_task(self, outputs: int, input_shape: tuple[int, ...]) -> None:
        self.networks = (*self.networks, self._new())
        self.networks[-1].begin_task(outputs)

    def end_task(self, task: Task) -> None:
        self.networks[-1].end_task()

    def abandon_task(self) -> None:
        self.networks = self.networks[:-1]

    def state(self) -> dict[str, Any]:
        return {
            "head": self._start.network.head_name,
            "start": Given(self._start.network.state_dict()),
            "networks": [network.state() for network in self.networks],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._start.set_head(state.get("head"))
        take_given(self._start.network.state_dict(), state["start"])
        self.networks = ()
        for saved in state["networks"]:
            self.networks = (*self.networks, self._new())
            self.networks[-1].load_state(saved)

    def _new(self) -> StandardNetwork:
        seeds = self._seeds.child("network", len(self.networks))
        start = self._start.network
        return StandardNetwork(start.module, "task", self._training, seeds, start.head_name)


METHODS = (Method("separate", "separate networks", SeparateLearner, scenarios=("task",)),)
