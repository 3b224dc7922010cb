"""Separate networks: a standard network for each task, which forgets nothing and shares nothing."""

from __future__ import annotations

from typing import Any

from torch import nn

from hypermnesia.criteria import ANY, CrossEntropy
from hypermnesia.inputs import Inputs, Shape
from hypermnesia.learners.base import ContinualLearner
from hypermnesia.learners.label_check import asked_outputs, count_new_classes
from hypermnesia.learners.method import Method
from hypermnesia.learners.prediction import Prediction
from hypermnesia.module_copies import state_tensors
from hypermnesia.seeds import Seeds
from hypermnesia.standard import StandardNetwork, StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.given import Given, take_given
from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings


class SeparateLearner(ContinualLearner):
    """A standard network of its own for each task: all the memory it takes, and no transfer. Task-incremental only.

    Each network starts from the module's weights, with a new head in the place of its last linear layer.

    Args:
        module, settings, criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Example:
        >>> import torch
        >>> learner = SeparateLearner(nn.Linear(2, 1), training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    learns = ANY
    plain_labels_only = False
    relearns = True
    forgets = True

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Only the one in which the task is known."""
        return ("task",)

    def _make_parts(self) -> dict[str, Part]:
        self._networks = _SeparateNetworks(self._module, self.training, self.seeds)
        return {"networks": self._networks}

    def networks_with(self, task: int) -> tuple[StandardNetwork, int]:
        return self._networks.of_task(task), 0

    def _infer(self, inputs: Inputs) -> Prediction:
        raise NotImplementedError  # the scenarios above say so first

    def _check_module(self, inputs: Inputs) -> None:
        self._networks.find_head(inputs)

    def _count_outputs(self, task: Task, outputs: int) -> int:
        # Any number will do: the head grows.
        criterion = self._criterion_of(task)
        if isinstance(criterion, CrossEntropy):
            return count_new_classes(task, 0, criterion)
        asked, _ = asked_outputs(task, criterion)
        return asked or outputs

    def _objective(self) -> Objective:
        return StandardObjective(self._networks.current, self.training, self.criterion)


class _SeparateNetworks(Part):
    """A network for each task, all of which start alike but for their heads."""

    def __init__(self, module: nn.Module, training: TrainingSettings, seeds: Seeds) -> None:
        self._training, self._seeds = training, seeds
        # Where each starts; never learns.
        self._start = StandardNetwork(module, "task", training, seeds)
        # None in the place of a forgotten one.
        self.networks: tuple[StandardNetwork | None, ...] = ()
        # Number of the task that is being learned, None between tasks; and whether it is a new one.
        self._current: int | None = None
        self._is_new = True

    def find_head(self, inputs: Inputs) -> None:
        """Let the heads be the layer that the module's outputs come from; before the first task."""
        self._start.find_head(inputs)

    @property
    def num_weights(self) -> int:
        return sum(network.num_weights for network in self.networks if network is not None)

    @property
    def current(self) -> StandardNetwork:
        """Network of the task that is being learned."""
        assert self._current is not None
        return self.of_task(self._current)

    def of_task(self, task: int) -> StandardNetwork:
        """Network of a task that is there."""
        network = self.networks[task]
        assert network is not None
        return network

    def begin_task(self, outputs: int, input_shape: Shape) -> None:
        network = self._new(len(self.networks))
        network.begin_task(outputs)
        self._current, self._is_new, self.networks = len(self.networks), True, (*self.networks, network)

    def reopen_task(self, task: int) -> None:
        self._current, self._is_new = task, False
        self.current.reopen_task(0)

    def forget_task(self, task: int) -> None:
        self.networks = (*self.networks[:task], None, *self.networks[task + 1 :])

    def end_task(self, task: Task) -> None:
        self.current.end_task()
        self._current, self._is_new = None, True

    def abandon_task(self) -> None:
        if self._is_new:
            self.networks = self.networks[:-1]
        else:
            self.current.abandon_task()
        self._current, self._is_new = None, True

    def state(self) -> dict[str, Any]:
        return {
            "head": self._start.network.head_name,
            "start": Given(state_tensors(self._start.network)),
            "networks": [None if network is None else network.state() for network in self.networks],
            "current": self._current,
            "is_new": self._is_new,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._start.set_head(state.get("head"))
        take_given(state_tensors(self._start.network), state["start"])
        self.networks = tuple(self._of_state(number, saved) for number, saved in enumerate(state["networks"]))
        self._current, self._is_new = state["current"], state["is_new"]

    def _of_state(self, number: int, saved: dict[str, Any] | None) -> StandardNetwork | None:
        if saved is None:
            return None
        network = self._new(number)
        network.load_state(saved)
        return network

    def _new(self, number: int) -> StandardNetwork:
        seeds = self._seeds.child("network", number)
        start = self._start.network
        return StandardNetwork(start.module, "task", self._training, seeds, start.head_name)


METHODS = (Method("separate", "separate networks", SeparateLearner, scenarios=("task",)),)
